-- Score of each source: one minus the weighted share that fails, by level and over all levels
WITH weighted AS (
    SELECT source, level, numerator, denominator,
        CASE severity WHEN 'block' THEN 100 WHEN 'critical' THEN 20 WHEN 'major' THEN 5 WHEN 'minor' THEN 1 ELSE 0 END
            AS weight
    FROM scorecard WHERE status IN ('passed', 'failed') AND denominator > 0
), scored AS (
    SELECT source, level, 1 - sum(weight * numerator) / nullif(sum(weight * denominator), 0)::DOUBLE AS score
    FROM weighted GROUP BY source, level
    UNION ALL
    SELECT source, 'all' AS level, 1 - sum(weight * numerator) / nullif(sum(weight * denominator), 0)::DOUBLE
    FROM weighted GROUP BY source
)
SELECT CASE WHEN department = source THEN source ELSE source || ' (' || department || ')' END AS source, level, score
FROM scored LEFT JOIN sources USING (source) WHERE score IS NOT NULL
ORDER BY list_position(['all', 'patient', 'study', 'series', 'instance', 'archive'], level), source

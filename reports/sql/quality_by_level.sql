-- Score of each source: one minus the weighted share that fails, by level and over all levels
WITH weighed AS (
    SELECT source, level, numerator, denominator, weight FROM scorecard JOIN severity_weights USING (severity)
    WHERE status IN ('passed', 'failed') AND denominator > 0
), scored AS (
    SELECT source, coalesce(level, 'all') AS level,
        1 - sum(weight * numerator) / nullif(sum(weight * denominator), 0)::DOUBLE AS score
    FROM weighed GROUP BY GROUPING SETS ((source, level), (source))
)
SELECT CASE WHEN department = source THEN source ELSE source || ' (' || department || ')' END AS source, level, score
FROM scored LEFT JOIN sources USING (source) WHERE score IS NOT NULL
ORDER BY list_position(['all', 'patient', 'study', 'series', 'instance', 'across', 'archive', 'index'], level), source

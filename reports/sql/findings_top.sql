-- The checks that fail, the most serious first
WITH judged AS (
    SELECT check_id, sum(numerator)::BIGINT AS failing, sum(denominator)::BIGINT AS applicable FROM scorecard
    WHERE status IN ('passed', 'failed') GROUP BY check_id
)
SELECT f.check_id, coalesce(any_value(m.title), any_value(f.name)) AS title, any_value(f.severity) AS severity,
    count(*) AS failing, any_value(judged.failing) / nullif(any_value(judged.applicable), 0)::DOUBLE AS share,
    list_sort(list(DISTINCT source)) AS sources, coalesce(any_value(m.text), any_value(f.message)) AS fix
FROM findings f LEFT JOIN judged USING (check_id) LEFT JOIN remedies m ON m.kind = 'checks' AND m.code = f.check_id
GROUP BY f.check_id
ORDER BY list_position(['block', 'critical', 'major', 'minor', 'info'], any_value(f.severity)), count(*) DESC, f.check_id

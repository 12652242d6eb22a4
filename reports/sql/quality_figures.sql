-- Quality in large numbers, as found and with approved changes applied; NULL (a dash) before assess has run
WITH whole AS (SELECT * FROM quality_index WHERE scope = 'all' AND applicable IS NOT NULL),
filled AS (
    SELECT sum(present) / nullif(sum(applicable), 0)::DOUBLE AS share, sum(present_after) / nullif(sum(applicable), 0)::DOUBLE AS after
    FROM key_completeness
)
SELECT 'Quality' AS label, (SELECT quality FROM whole) AS value, 'share' AS format,
    (SELECT format('{:.2f} % after the rules', 100 * quality_after) FROM whole) AS note
UNION ALL SELECT 'Blocking findings', (SELECT blocking FROM whole)::DOUBLE, 'whole', 'must be none to move all'
UNION ALL SELECT 'Critical share', (SELECT critical_share FROM whole), 'share', 'of what critical checks apply to'
UNION ALL SELECT 'Key attributes filled', (SELECT share FROM filled), 'share',
    (SELECT format('{:.2f} % after the rules', 100 * after) FROM filled)
UNION ALL SELECT 'Gates closed', CASE WHEN count(*) > 0 THEN
        count(DISTINCT (suite, source)) FILTER (NOT success AND stops = 'wave') END::DOUBLE, 'whole',
    format('{:,} suites failed, {:,} ran', count(DISTINCT (suite, source)) FILTER (NOT success), count(DISTINCT (suite, source)))
    FROM gates

-- Each suite: how many sources pass it, and what its failure does
SELECT suite, stage, count(DISTINCT source) AS sources, count(*) AS expectations, count(*) FILTER (NOT success) AS failed,
    coalesce(list_sort(list(DISTINCT source) FILTER (NOT success)), []) AS failing,
    CASE WHEN bool_and(success) THEN 'passed' WHEN any_value(stops) = 'wave' THEN 'closed' ELSE 'told' END AS state
FROM gates GROUP BY stage, suite ORDER BY list_position(['assess', 'normalize'], stage), suite

-- Each suite and source: closed holds the source's studies, failed only says so
SELECT stage, suite, source, count(*) AS expectations, count(*) FILTER (NOT success) AS failed,
    CASE WHEN bool_and(success) THEN 'passed' WHEN any_value(stops) = 'wave' THEN 'closed' ELSE 'failed' END AS state
FROM gates GROUP BY stage, suite, source ORDER BY list_position(['assess', 'normalize'], stage), suite, source

-- Expectations that failed, those that stop the wave first
SELECT suite, source, check_id || ' ' || name AS expectation, unexpected AS "rows", evaluated AS "of", mostly AS must_pass,
    stops
FROM gates WHERE NOT success
ORDER BY stops = 'wave' DESC, list_position(['assess', 'normalize'], stage), suite,
    list_position(['block', 'critical', 'major', 'minor', 'info'], severity), source, check_id

-- Records, persons and open questions; NULL (a dash) when matching has not run
WITH matched AS (SELECT count(*) > 0 AS yes FROM persons)
SELECT 'Patient records' AS label, count(*)::DOUBLE AS value, 'whole' AS format, NULL AS note FROM patient_records
UNION ALL SELECT 'Persons', nullif(count(DISTINCT person_id), 0)::DOUBLE, 'whole', NULL FROM persons
UNION ALL SELECT 'Persons with several records',
    CASE WHEN (SELECT yes FROM matched) THEN count(DISTINCT person_id) END::DOUBLE, 'whole', NULL
    FROM persons WHERE cluster_size > 1
UNION ALL SELECT 'Pairs waiting at the desk', CASE WHEN (SELECT yes FROM matched) THEN count(*) END::DOUBLE, 'whole', NULL
    FROM pairs WHERE band = 'review'
UNION ALL SELECT 'Pairs decided by people', CASE WHEN (SELECT yes FROM matched) THEN count(*) END::DOUBLE, 'whole', NULL
    FROM pairs WHERE decided IS NOT NULL

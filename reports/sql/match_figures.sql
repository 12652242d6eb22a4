-- Records, persons and open questions; NULL (a dash) when matching has not run. Persons are those of the archives: a
-- patient index knows many who were never examined here.
WITH indexed AS (
    FROM match_records WHERE origin = 'feed'
), archived AS (
    FROM persons ANTI JOIN indexed USING (record_id)
), matched AS (SELECT count(*) > 0 AS yes FROM persons)
SELECT 'Patient records' AS label, count(*)::DOUBLE AS value, 'whole' AS format,
    CASE WHEN (SELECT count(*) FROM indexed) > 0
        THEN format('matched with {:,} of a patient index', (SELECT count(*) FROM indexed)) END AS note
FROM patient_records
UNION ALL SELECT 'Persons', nullif(count(DISTINCT person_id), 0)::DOUBLE, 'whole',
    CASE WHEN (SELECT count(*) FROM indexed) > 0 THEN format('{:,} of them in a patient index',
        (SELECT count(DISTINCT person_id) FROM persons SEMI JOIN indexed USING (record_id)
            WHERE person_id IN (SELECT person_id FROM archived))) END
    FROM archived
UNION ALL SELECT 'Persons with several records', CASE WHEN (SELECT yes FROM matched) THEN count(*) END::DOUBLE, 'whole', NULL
    FROM (SELECT person_id FROM archived GROUP BY person_id HAVING count(*) > 1)
UNION ALL SELECT 'Pairs waiting at the desk', CASE WHEN (SELECT yes FROM matched) THEN count(*) END::DOUBLE, 'whole',
    CASE WHEN count(*) > 0 THEN format('the studies of {:,} records wait with them',
        (SELECT count(*) FROM archived WHERE NOT settled)) END
    FROM pairs WHERE band = 'review'
UNION ALL SELECT 'Pairs decided by people', CASE WHEN (SELECT yes FROM matched) THEN count(*) END::DOUBLE, 'whole', NULL
    FROM pairs WHERE decided IS NOT NULL

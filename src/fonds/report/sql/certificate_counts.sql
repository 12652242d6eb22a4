-- What there is, counted
SELECT 'files in the inventory' AS name, (SELECT count(*) FROM inventory) AS value
UNION ALL SELECT 'bytes', (SELECT coalesce(sum(size), 0)::BIGINT FROM inventory)
UNION ALL SELECT 'objects catalogued', (SELECT count(*) FROM instances)
UNION ALL SELECT 'files not readable', (SELECT count(*) FROM unreadable)
UNION ALL SELECT 'studies', (SELECT count(*) FROM studies)
UNION ALL SELECT 'patient records', (SELECT count(*) FROM patient_records)
UNION ALL SELECT 'persons', (SELECT count(DISTINCT person_id) FROM persons
    ANTI JOIN (FROM match_records WHERE origin = 'feed') USING (record_id))
UNION ALL SELECT 'findings', (SELECT count(*) FROM findings)
UNION ALL SELECT 'approved changes', (SELECT count(*) FROM changes WHERE state = 'approved')

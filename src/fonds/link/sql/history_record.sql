-- before matching has run, each record is a person of its own
SELECT DISTINCT coalesce(p.person_id, r.record_id) AS person_id, 'record' AS why
FROM instance_records r LEFT JOIN persons p USING (record_id) WHERE r.record_id = $name

-- Records around a pair: those of both persons and, where the pair's records stand in a cluster that doesn't hold
-- together, every record of that cluster (all its pairs carry one note, which names the weakest link).
WITH told AS (
    SELECT DISTINCT note FROM queued
    WHERE starts_with(note, 'cluster ') AND (record_a IN ($a, $b) OR record_b IN ($a, $b))
), ends AS (
    SELECT unnest([record_a, record_b]) AS record_id FROM queued SEMI JOIN told USING (note)
    UNION SELECT unnest([$a, $b])
), people AS (
    SELECT DISTINCT person_id FROM persons SEMI JOIN ends USING (record_id)
), members AS (
    SELECT record_id FROM persons SEMI JOIN people USING (person_id) UNION FROM ends
)
SELECT r.record_id, r.origin, r.source, r.PatientName, r.PatientBirthDate, r.PatientID, r.studies, p.person_id,
    count(*) OVER () AS total
FROM records r SEMI JOIN members USING (record_id) LEFT JOIN persons p USING (record_id)
ORDER BY CASE r.record_id WHEN $a THEN 0 WHEN $b THEN 1 ELSE 2 END, p.person_id, r.record_id LIMIT $wanted

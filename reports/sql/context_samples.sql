-- The histories of the three persons with most kinds of items: no names, identifiers, descriptions or numbers
WITH chosen AS (
    SELECT person_id FROM timeline GROUP BY person_id
    ORDER BY count(DISTINCT kind) DESC, count(*) DESC, person_id LIMIT 3
)
SELECT t.person_id, t.day::VARCHAR AS day, t.kind, array_to_string(t.modalities, ' ') AS modalities, array_to_string(t.sources, ', ') AS sources,
    t.objects, t.status, array_to_string(t.missing, ', ') AS missing
FROM timeline t SEMI JOIN chosen USING (person_id) ORDER BY t.person_id, t.day NULLS LAST, t.study_uid, t.kind = 'study' DESC, t.kind

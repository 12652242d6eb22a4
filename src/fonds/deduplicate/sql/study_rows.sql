-- The table study_pairs, and the rows of classes g, h and i: one for each source that holds the study. `study_groups`
-- (study_uid, group_id, studies, score, band) are those of class h.
CREATE TEMP VIEW study_pairs_found AS
WITH whole AS (
    SELECT * REPLACE (split_part(study_a, '!', 1) AS study_a, split_part(study_b, '!', 1) AS study_b) FROM scored_pairs
    QUALIFY row_number() OVER (PARTITION BY split_part(study_a, '!', 1), split_part(study_b, '!', 1) ORDER BY score DESC, whose) = 1
)
SELECT study_a, study_b, p.person_id, score, band, to_json(evidence)::VARCHAR AS evidence, objects_a, objects_b, same_pixels
FROM whole s LEFT JOIN (SELECT DISTINCT person_id FROM record_studies) p ON p.person_id = s.whose;
CREATE TEMP TABLE study_rows AS
WITH split AS (
    SELECT study_uid, count(*) AS sources, len(list_distinct(flatten(list(objects)))) AS together
    FROM split_studies GROUP BY study_uid HAVING count(DISTINCT objects) > 1
), together AS (
    -- studies that are copies of one another by retrieval count once: they are j, not h
    SELECT g.group_id FROM study_groups g LEFT JOIN retrieved_studies r USING (study_uid)
    GROUP BY g.group_id HAVING count(DISTINCT coalesce(r.signature, g.study_uid)) > 1
), again AS (
    SELECT DISTINCT g.* REPLACE (split_part(study_uid, '!', 1) AS study_uid) FROM study_groups g SEMI JOIN together USING (group_id)
), said AS (
    SELECT a.group_id, unnest(p.evidence) AS e
    FROM scored_pairs p JOIN study_groups a ON a.study_uid = p.study_a JOIN study_groups b ON b.study_uid = p.study_b AND b.group_id = a.group_id
), told AS (
    SELECT group_id, string_agg(DISTINCT concat(replace(e.comparison, '_', ' '), ' ', e.label), ', ' ORDER BY concat(replace(e.comparison, '_', ' '), ' ', e.label)) FILTER (e.weight > 0) AS agrees,
        string_agg(DISTINCT concat(replace(e.comparison, '_', ' '), ' ', e.label), ', ' ORDER BY concat(replace(e.comparison, '_', ' '), ' ', e.label)) FILTER (e.weight < 0) AS against
    FROM said GROUP BY group_id
)
SELECT 'D' || left(sha256(concat_ws('|', 'g', study_uid)), 16) AS group_id, 'g' AS class, h.source, study_uid,
    CASE WHEN t.by_person THEN 'one Study Instance UID; differs: the person, by source'
         ELSE concat('one Study Instance UID; differs: PatientID (', t.patient_ids, ' values in one source)') END AS evidence,
    NULL::DOUBLE AS score, NULL::VARCHAR AS band
FROM two_patients t JOIN held_studies h USING (study_uid)
UNION ALL
SELECT a.group_id, 'h', h.source, study_uid,
    concat_ws('; ', concat(a.studies, ' studies of one examination'), concat('agrees: ', t.agrees), concat('against it: ', t.against), 'differs: StudyInstanceUID'),
    a.score, a.band
FROM again a JOIN held_studies h USING (study_uid) LEFT JOIN told t USING (group_id)
UNION ALL
SELECT 'D' || left(sha256(concat_ws('|', 'i', study_uid)), 16), 'i', h.source, study_uid,
    concat('one study in ', s.sources, ' sources; ', len(h.objects), ' of its ', s.together, ' objects here'), NULL, NULL
FROM split s JOIN split_studies h USING (study_uid)

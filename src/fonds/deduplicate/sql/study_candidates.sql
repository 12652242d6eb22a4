-- Which studies are compared: `candidate_rules` (rule, same, minutes, largest) are those of matchers/study.yaml.
-- A study is its person's, and a guest of every person who may be the same one.
CREATE TEMP TABLE study_owners AS
SELECT part AS study_uid, whose, false AS guest FROM record_studies
UNION
SELECT part, a.other, true FROM record_studies r JOIN asked_persons a ON a.person = r.person_id;
CREATE TEMP TABLE shared_keys AS
WITH minutes AS (SELECT max(minutes) * 60 AS span FROM candidate_rules WHERE same = 'day'), days AS (
    SELECT study_uid, day, start, unnest(modalities) AS modality FROM study_features WHERE day IS NOT NULL
), pictures AS (
    SELECT DISTINCT hash(t.pixel_key) AS picture, coalesce(p.part, t.study_uid) AS study_uid
    FROM telling t LEFT JOIN shared_parts p ON p.source = t.source AND p.location = t.location
), repeated AS (
    SELECT picture FROM pictures GROUP BY picture
    HAVING count(*) BETWEEN 2 AND (SELECT max(largest) FROM candidate_rules WHERE same = 'pixels')
)
SELECT 'accession' AS same, study_uid, key FROM study_accessions
UNION
SELECT 'accession_core', study_uid, core FROM study_accessions
UNION
SELECT 'day', study_uid, concat(unnest(list_distinct([day, (start - span) // 86400, (start + span) // 86400])), modality)
FROM days, minutes WHERE start IS NOT NULL
UNION
SELECT 'day', study_uid, concat(day, modality) FROM days WHERE start IS NULL
UNION
SELECT 'pixels', study_uid, picture::VARCHAR FROM pictures SEMI JOIN repeated USING (picture);
CREATE TEMP TABLE study_blocks AS
SELECT r.rule, o.whose, k.key, r.largest, count(*) AS studies
FROM shared_keys k JOIN candidate_rules r USING (same) JOIN study_owners o USING (study_uid)
GROUP BY r.rule, o.whose, k.key, r.largest HAVING count(*) > 1;
CREATE TEMP TABLE study_candidates AS
WITH members AS (
    SELECT r.rule, o.whose, k.key, o.study_uid, o.guest
    FROM shared_keys k JOIN candidate_rules r USING (same) JOIN study_owners o USING (study_uid)
        SEMI JOIN (FROM study_blocks WHERE studies <= largest) b ON b.rule = r.rule AND b.whose = o.whose AND b.key = k.key
), met AS (
    SELECT least(a.study_uid, b.study_uid) AS study_a, greatest(a.study_uid, b.study_uid) AS study_b, a.guest, b.guest AS guest_too, a.whose
    FROM members a JOIN members b ON b.rule = a.rule AND b.whose = a.whose AND b.key = a.key
)
-- one person's where both are at home with one person; else it is asked whether they are
SELECT study_a, study_b, min(whose) FILTER (NOT guest AND NOT guest_too) AS whose FROM met
WHERE split_part(study_a, '!', 1) <> split_part(study_b, '!', 1) AND NOT (guest AND guest_too) GROUP BY study_a, study_b

-- What every page of the queue asks for: made once a publication.
-- Patient records: an archive's values as found, with what matching read beside them; a feed's records as told.
CREATE TABLE archive_records AS
SELECT r.*, 'archive' AS origin, s.department, m.PatientBirthName, m.phone, m.street, m.postcode, m.city, m.mother,
    m.national_id, m.other_ids, m.missing
FROM patient_records r LEFT JOIN sources s USING (source) LEFT JOIN match_records m USING (record_id);
-- Objects that an approved change gives to another patient, and to which record
CREATE TABLE moved AS SELECT source, location, record_id FROM instance_records WHERE record_id <> raw_record_id;
CREATE VIEW records AS
FROM archive_records
UNION ALL BY NAME
SELECT record_id, origin, source, issuer, PatientID, PatientName, PatientBirthName, PatientBirthDate, PatientSex, phone,
    street, postcode, city, mother, national_id, other_ids, studies, missing
FROM match_records WHERE origin = 'feed';
CREATE TABLE feeds AS SELECT DISTINCT source FROM match_records WHERE origin = 'feed' ORDER BY source;
-- A pair drawn for the sample stays one, should the last run not have kept it.
CREATE VIEW known_pairs AS
FROM pairs
UNION ALL BY NAME
SELECT record_a, record_b, probability, band FROM match_sample ANTI JOIN pairs USING (record_a, record_b);
-- Bits of doubt about one pair: the entropy of the stated probability. A pair that a constraint put into question (its
-- note says which) is as much in doubt as can be, whatever its weight.
CREATE MACRO doubt(note, probability) AS CASE WHEN note IS NOT NULL OR probability IS NULL THEN 1 ELSE
    -(greatest(probability, 1e-12) * log2(greatest(probability, 1e-12))
        + greatest(1 - probability, 1e-12) * log2(greatest(1 - probability, 1e-12))) END;
-- Pairs for people, and what an answer is worth in bits: the doubt it ends, for each study that waits, and what it
-- teaches about the pairs that look like it. The second answer about one pattern teaches half as much, the third a third.
CREATE TABLE queued AS
SELECT *, round(coalesce(studies, 1) * doubt(note, probability) + taught, 6) AS worth FROM (
    SELECT p.record_a, p.record_b, p.weight, p.probability, p.band, p.studies, p.note,
        m.record_a IS NOT NULL AS sampled, a.source AS source_a, b.source AS source_b,
        CASE WHEN p.pattern IS NOT NULL THEN count(*) FILTER (p.band = 'review') OVER (PARTITION BY p.pattern) END AS alike,
        coalesce(p.teaches, 0) / row_number() OVER (
            PARTITION BY p.pattern ORDER BY p.studies DESC, p.record_a, p.record_b) AS taught
    FROM known_pairs p LEFT JOIN match_sample m USING (record_a, record_b)
        JOIN records a ON a.record_id = p.record_a JOIN records b ON b.record_id = p.record_b
    WHERE p.band = 'review' OR m.record_a IS NOT NULL
);
CREATE VIEW weighed_pairs AS
SELECT p.*, coalesce(q.worth, round(coalesce(p.studies, 1) * doubt(p.note, p.probability), 6)) AS worth, q.alike,
    coalesce(2 * q.taught > q.worth, false) AS first_for_teaching, coalesce(q.sampled, false) AS sampled
FROM known_pairs p LEFT JOIN queued q USING (record_a, record_b);
-- The sample is shown in an order that says nothing of the machine's opinion.
CREATE MACRO shuffled(record_a, record_b) AS md5_number_lower(record_a || record_b)::DOUBLE;
-- Values with candidates. What a spelling means is one question for all studies that have it; any other is one of a
-- patient. subject_a and subject_b are those of the decision that answers it.
CREATE VIEW questions AS
SELECT *, CASE WHEN spelling IS NULL THEN 'change' ELSE 'mapping' END AS kind,
    coalesce(lookup, change_id) AS subject_a, concat_ws(chr(31), spelling, modalities) AS question
FROM (
    SELECT *, json_extract_string(candidates, '$[0].spelling') AS spelling,
        json_extract_string(candidates, '$[0].modalities') AS modalities,
        json_extract_string(candidates, '$[0].rule') AS lookup
    FROM changes WHERE candidates IS NOT NULL AND needs = 'steward'
);
CREATE MACRO question_of(kind, subject_b) AS CASE WHEN kind = 'mapping' THEN
    concat_ws(chr(31), json_extract_string(subject_b, '$.spelling'), json_extract_string(subject_b, '$.modalities'))
    ELSE '' END;
-- Groups of duplicates that people may be asked about: all but those whose copies are equal, or parts of one study, and
-- that the policy settled. `held_studies` and `held_objects` are what waits until a group is decided.
CREATE TABLE duplicate_groups AS
WITH asked AS (
    SELECT DISTINCT group_id FROM duplicates
    WHERE class NOT IN ('a', 'b', 'i') OR disposition = 'hold' OR starts_with(why, 'decided: ')
), told AS (
    SELECT group_id, arg_min(class, strpos('gdfcbaejhi', class)) AS class, min(level) AS level, max(score) AS score, min(band) AS band,
        bool_or(disposition = 'hold') AS held, list_sort(list(DISTINCT source)) AS sources,
        count(DISTINCT (source, member)) AS members, count(DISTINCT content) AS contents,
        list_sort(list_distinct(flatten(list(differs)))) AS differs,
        list(DISTINCT study_uid) FILTER (disposition = 'hold') AS studies
    FROM duplicates SEMI JOIN asked USING (group_id) GROUP BY group_id
), waiting AS (
    SELECT group_id, unnest(studies) AS study_uid FROM told
), sizes AS (
    SELECT StudyInstanceUID AS study_uid, count(*) AS objects FROM instances
    SEMI JOIN waiting ON waiting.study_uid = StudyInstanceUID GROUP BY StudyInstanceUID
), held AS (
    SELECT group_id, count(*) AS held_studies, sum(objects)::BIGINT AS held_objects
    FROM waiting JOIN sizes USING (study_uid) GROUP BY group_id
)
SELECT t.* EXCLUDE (studies), coalesce(h.held_studies, 0) AS held_studies, coalesce(h.held_objects, 0) AS held_objects
FROM told t LEFT JOIN held h USING (group_id);
-- A group waits while it is held and nobody decided; and when the stage obeyed the decision and it is held all the same.
CREATE MACRO waits(held, decided_at) AS held AND (decided_at IS NULL
    OR coalesce(decided_at::TIMESTAMP < (SELECT max(started)::TIMESTAMP FROM deduplicated), false));
-- New UIDs that can't be given: what for, and why
CREATE TABLE refused AS
WITH told AS (
    SELECT cause, class, source, location, reason, detail, true AS renamed FROM remaps WHERE state = 'refused'
    UNION ALL BY NAME
    SELECT unnest(string_split(cause, ', ')) AS cause, source, location, reason, false AS renamed
    FROM rewrites WHERE state = 'refused'
)
SELECT cause, max(class) AS class, coalesce(min(reason) FILTER (renamed), min(reason)) AS reason, min(detail) AS detail,
    list_sort(list(DISTINCT source)) AS sources, count(DISTINCT (source, location)) FILTER (renamed) AS objects,
    count(DISTINCT (source, location)) FILTER (NOT renamed) AS pointing
FROM told GROUP BY cause

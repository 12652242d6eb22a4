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
    ELSE '' END

-- Classes g, h and i: a row for each source that holds the study.
CREATE TEMP TABLE held_studies AS
SELECT source, StudyInstanceUID AS study_uid, count(DISTINCT trim(PatientID)) FILTER (trim(PatientID) <> '') AS patient_ids,
    list_sort(list(DISTINCT SOPInstanceUID) FILTER (trim(SOPInstanceUID) <> '')) AS objects
FROM instances WHERE trim(StudyInstanceUID) <> '' GROUP BY source, StudyInstanceUID;
-- Persons of a study that differ from source to source, unless whether they are one is still an open question
CREATE TEMP TABLE study_persons AS
WITH records AS (
    SELECT DISTINCT r.source, r.study_uid, r.record_id, p.person_id
    FROM instance_records r JOIN persons p USING (record_id) WHERE trim(r.study_uid) <> ''
), asked AS (
    -- persons that may be one, both ways
    SELECT DISTINCT unnest([a.person_id, b.person_id]) AS person, unnest([b.person_id, a.person_id]) AS other
    FROM pairs JOIN persons a ON a.record_id = pairs.record_a JOIN persons b ON b.record_id = pairs.record_b
    WHERE pairs.band = 'review' AND pairs.decided IS NULL AND a.person_id <> b.person_id
), through AS (
    -- a feed's patient without studies that either of two persons may be
    FROM asked ANTI JOIN records ON records.person_id = asked.other
), doubted AS (
    SELECT a.study_uid FROM records a JOIN records b ON b.study_uid = a.study_uid AND b.person_id <> a.person_id
        JOIN asked ON asked.person = a.person_id AND asked.other = b.person_id
    UNION
    SELECT a.study_uid FROM records a JOIN records b ON b.study_uid = a.study_uid AND b.person_id <> a.person_id
        JOIN through x ON x.person = a.person_id JOIN through y ON y.person = b.person_id AND y.other = x.other
), by_source AS (
    SELECT source, study_uid, list_sort(list(DISTINCT person_id)) AS persons FROM records GROUP BY source, study_uid
)
SELECT study_uid FROM by_source ANTI JOIN doubted USING (study_uid) GROUP BY study_uid HAVING count(DISTINCT persons) > 1;
CREATE TEMP TABLE study_rows AS
WITH two_patients AS (
    SELECT study_uid, max(patient_ids) AS patient_ids, study_uid IN (FROM study_persons) AS by_person
    FROM held_studies GROUP BY study_uid HAVING max(patient_ids) > 1 OR study_uid IN (FROM study_persons)
), keyed AS (
    SELECT DISTINCT i.source, i.StudyInstanceUID AS study_uid, trim(i.PatientID) AS patient_id,
        trim(i.AccessionNumber) AS accession, i.StudyDate AS day, r.signature
    FROM instances i LEFT JOIN (SELECT DISTINCT study_uid, signature FROM retrieved) r ON r.study_uid = i.StudyInstanceUID
    WHERE trim(i.PatientID) <> '' AND trim(i.AccessionNumber) <> '' AND trim(i.StudyDate) <> '' AND trim(i.StudyInstanceUID) <> ''
), examinations AS (
    -- studies that are copies of one another by retrieval count once: they are j, not h
    SELECT source, patient_id, accession, day, list(DISTINCT study_uid) AS studies FROM keyed
    GROUP BY source, patient_id, accession, day HAVING count(DISTINCT coalesce(signature, study_uid)) > 1
), again AS (
    -- a study may stand in two such groups: one row, under the first
    SELECT 'D' || left(sha256(concat_ws('|', 'h', source, patient_id, accession, day)), 16) AS group_id, source,
        unnest(studies) AS study_uid, len(studies) AS count FROM examinations
), split AS (
    SELECT study_uid, count(*) AS sources, max(len(coalesce(objects, []))) AS most,
        len(list_distinct(flatten(list(coalesce(objects, []))))) AS together
    FROM held_studies GROUP BY study_uid HAVING count(*) > 1 AND count(DISTINCT coalesce(objects, [])) > 1
)
SELECT 'D' || left(sha256(concat_ws('|', 'g', study_uid)), 16) AS group_id, 'g' AS class, h.source, study_uid,
    CASE WHEN t.by_person THEN 'one Study Instance UID; differs: the person, by source'
         ELSE concat('one Study Instance UID; differs: PatientID (', t.patient_ids, ' values in one source)') END AS evidence
FROM two_patients t JOIN held_studies h USING (study_uid)
UNION ALL
SELECT min(group_id), 'h', source, study_uid,
    concat('same PatientID, AccessionNumber and StudyDate; differs: StudyInstanceUID (', max(count), ' studies)')
FROM again GROUP BY source, study_uid
UNION ALL
SELECT 'D' || left(sha256(concat_ws('|', 'i', study_uid)), 16), 'i', h.source, study_uid,
    concat('one study in ', s.sources, ' sources; ', len(coalesce(h.objects, [])), ' of its ', s.together, ' objects here')
FROM split s JOIN held_studies h USING (study_uid)

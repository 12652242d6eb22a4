-- Classes g and i: a row for each source that holds the study.
CREATE TEMP TABLE held_studies AS
SELECT source, StudyInstanceUID AS study_uid, count(DISTINCT trim(PatientID)) FILTER (trim(PatientID) <> '') AS patient_ids
FROM instances WHERE trim(StudyInstanceUID) <> '' GROUP BY source, StudyInstanceUID;
CREATE TEMP TABLE split_studies AS
WITH several AS (SELECT study_uid FROM held_studies GROUP BY study_uid HAVING count(*) > 1)
SELECT source, study_uid, coalesce(list_sort(list(DISTINCT sop_uid) FILTER (trim(sop_uid) <> '')), []) AS objects
FROM (SELECT source, StudyInstanceUID AS study_uid, SOPInstanceUID AS sop_uid FROM instances) SEMI JOIN several USING (study_uid)
GROUP BY source, study_uid;
-- Persons of a study that differ from source to source, unless whether they are one is still an open question
CREATE TEMP TABLE study_persons AS
WITH several AS (SELECT study_uid FROM record_studies GROUP BY study_uid HAVING count(DISTINCT person_id) > 1),
records AS (SELECT DISTINCT source, study_uid, person_id FROM record_studies SEMI JOIN several USING (study_uid) WHERE person_id IS NOT NULL),
doubted AS (
    SELECT a.study_uid FROM records a JOIN records b USING (study_uid) JOIN asked_persons ON asked_persons.person = a.person_id AND asked_persons.other = b.person_id
), by_source AS (
    SELECT source, study_uid, list_sort(list(DISTINCT person_id)) AS persons FROM records GROUP BY source, study_uid
)
SELECT study_uid FROM by_source ANTI JOIN doubted USING (study_uid) GROUP BY study_uid HAVING count(DISTINCT persons) > 1;
CREATE TEMP TABLE two_patients AS
SELECT study_uid, max(patient_ids) AS patient_ids, study_uid IN (FROM study_persons) AS by_person
FROM held_studies GROUP BY study_uid HAVING max(patient_ids) > 1 OR study_uid IN (FROM study_persons);
-- what is on two patients is one examination with another study at best possibly
CREATE TEMP TABLE doubtful AS SELECT DISTINCT part FROM record_studies SEMI JOIN two_patients USING (study_uid);
CREATE TEMP TABLE retrieved_studies AS
WITH objects AS (SELECT study_uid, count(*) AS objects FROM retrieved GROUP BY study_uid)
SELECT DISTINCT r.part AS study_uid, t.signature, o.objects
FROM retrieved t JOIN objects o USING (study_uid) JOIN record_studies r USING (study_uid)

-- Roll-ups every stage and analyst shares. Values are raw (as the source said) unless the name says effective.
CREATE OR REPLACE MACRO record_id(source, issuer, patient_id, patient_name, birth_date, sex) AS
    'R' || left(sha256(concat_ws('|', source, coalesce(issuer, ''), coalesce(patient_id, ''),
        coalesce(patient_name, ''), coalesce(birth_date, ''), coalesce(sex, ''))), 16);
CREATE OR REPLACE VIEW instance_records AS
SELECT source, location, StudyInstanceUID AS study_uid, SOPInstanceUID AS sop_uid,
    record_id(source, IssuerOfPatientID, PatientID, PatientName, PatientBirthDate, PatientSex) AS record_id
FROM instances;
CREATE OR REPLACE VIEW patient_records AS
SELECT r.record_id, source, coalesce(any_value(i.IssuerOfPatientID), '') AS issuer, any_value(i.PatientID) AS PatientID,
    any_value(i.PatientName) AS PatientName, any_value(i.PatientBirthDate) AS PatientBirthDate,
    any_value(i.PatientSex) AS PatientSex, count(*) AS instances, count(DISTINCT i.StudyInstanceUID) AS studies,
    min(i.StudyDate) AS first_study, max(i.StudyDate) AS last_study
FROM instances i JOIN instance_records r USING (source, location)
GROUP BY r.record_id, source;
CREATE OR REPLACE VIEW series AS
SELECT source, StudyInstanceUID, SeriesInstanceUID, min(Modality) AS Modality, min(SeriesDescription) AS SeriesDescription,
    min(BodyPartExamined) AS BodyPartExamined, count(*) AS instances, sum(size) AS bytes
FROM instances GROUP BY source, StudyInstanceUID, SeriesInstanceUID;
CREATE OR REPLACE VIEW studies AS
SELECT source, StudyInstanceUID, min(StudyDate) AS StudyDate, min(StudyTime) AS StudyTime,
    min(StudyDescription) AS StudyDescription, min(AccessionNumber) AS AccessionNumber,
    list_sort(list(DISTINCT Modality) FILTER (Modality IS NOT NULL)) AS modalities,
    count(DISTINCT SeriesInstanceUID) AS series, count(*) AS instances, sum(size) AS bytes,
    min(PatientID) AS PatientID, min(PatientName) AS PatientName
FROM instances GROUP BY source, StudyInstanceUID;
CREATE OR REPLACE VIEW inventory AS
SELECT source, location, size, 'instance' AS kind FROM instances
UNION ALL
SELECT source, location, size, 'unreadable' AS kind FROM unreadable
UNION ALL
SELECT source, location, size, 'index' AS kind FROM entries WHERE level = 'MEDIA';
CREATE OR REPLACE VIEW index_studies AS
SELECT source, origin, study_uid, record, note, attributes->>'PatientID' AS PatientID,
    attributes->>'PatientName' AS PatientName, attributes->>'StudyDate' AS StudyDate,
    attributes->>'AccessionNumber' AS AccessionNumber, attributes->>'StudyDescription' AS StudyDescription,
    attributes->>'ModalitiesInStudy' AS ModalitiesInStudy,
    try_cast(attributes->>'NumberOfStudyRelatedSeries' AS BIGINT) AS series,
    try_cast(attributes->>'NumberOfStudyRelatedInstances' AS BIGINT) AS instances
FROM entries WHERE level = 'STUDY';
CREATE OR REPLACE VIEW plan_studies AS
SELECT source, study_uid, min(wave) AS wave, min(sequence) AS sequence,
    CASE WHEN bool_or(state = 'held') THEN 'held' WHEN bool_or(state = 'planned') THEN 'planned' ELSE 'excluded' END AS state,
    list_sort(list(DISTINCT reason) FILTER (reason IS NOT NULL)) AS reasons, count(*) AS instances
FROM plan GROUP BY source, study_uid

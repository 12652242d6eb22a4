-- The studies of one record: what a steward knows a person by. Filtered by the record's own values, so that Parquet
-- skips what can't belong to it; `IS NOT DISTINCT FROM` because absent and empty are one record.
SELECT StudyInstanceUID AS study_uid, min(StudyDate) AS day, min(StudyTime) AS hour, min(StudyDescription) AS description,
    min(AccessionNumber) AS accession, array_to_string(list_sort(list(DISTINCT Modality)), ', ') AS modalities,
    array_to_string(list_sort(list(DISTINCT InstitutionName)), ', ') AS institutions,
    array_to_string(list_sort(list(DISTINCT ReferringPhysicianName)), ', ') AS referrers, count(*) AS objects
FROM instances
WHERE source = $source AND coalesce(PatientID, '') = $patient_id AND coalesce(PatientName, '') = $name
    AND coalesce(PatientBirthDate, '') = $born AND coalesce(PatientSex, '') = $sex
    AND coalesce(IssuerOfPatientID, '') = $issuer
GROUP BY StudyInstanceUID ORDER BY day, hour, study_uid

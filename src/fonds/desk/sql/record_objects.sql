-- The studies of one record: what a steward knows a person by. Filtered by the record's own values, so that Parquet
-- skips what can't belong to it; absent and empty are one record. Of the objects with these values those count that no
-- approved change gives to another patient, or in a record made by such a change those that it gives.
SELECT StudyInstanceUID AS study_uid, min(StudyDate) AS day, min(StudyTime) AS hour, min(StudyDescription) AS description,
    min(AccessionNumber) AS accession, array_to_string(list_sort(list(DISTINCT Modality)), ', ') AS modalities,
    array_to_string(list_sort(list(DISTINCT InstitutionName)), ', ') AS institutions,
    array_to_string(list_sort(list(DISTINCT ReferringPhysicianName)), ', ') AS referrers, count(*) AS objects
FROM instances LEFT JOIN moved m USING (source, location)
WHERE m.record_id IS NOT DISTINCT FROM (SELECT any_value(record_id) FROM moved WHERE record_id = $record)
    AND source = $source AND coalesce(PatientID, '') = $patient_id AND coalesce(PatientName, '') = $name
    AND coalesce(PatientBirthDate, '') = $born AND coalesce(PatientSex, '') = $sex
    AND coalesce(IssuerOfPatientID, '') = $issuer
GROUP BY StudyInstanceUID ORDER BY day, hour, study_uid

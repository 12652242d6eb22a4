-- The same record's values after the approved changes
SELECT min(e.PatientName) AS PatientName, min(e.PatientBirthDate) AS PatientBirthDate, min(e.PatientSex) AS PatientSex,
    min(e.PatientID) AS PatientID, min(e.IssuerOfPatientID) AS issuer
FROM effective e SEMI JOIN (
    SELECT source, location FROM instances LEFT JOIN moved m USING (source, location)
    WHERE m.record_id IS NOT DISTINCT FROM (SELECT any_value(record_id) FROM moved WHERE record_id = $record)
        AND source = $source AND coalesce(PatientID, '') = $patient_id AND coalesce(PatientName, '') = $name
        AND coalesce(PatientBirthDate, '') = $born AND coalesce(PatientSex, '') = $sex
        AND coalesce(IssuerOfPatientID, '') = $issuer
) USING (source, location)

-- The same record's values after the approved changes
SELECT min(e.PatientName) AS PatientName, min(e.PatientBirthDate) AS PatientBirthDate, min(e.PatientSex) AS PatientSex,
    min(e.PatientID) AS PatientID, min(e.IssuerOfPatientID) AS issuer
FROM effective e SEMI JOIN (
    SELECT source, location FROM instances
    WHERE source = $source AND coalesce(PatientID, '') = $patient_id AND coalesce(PatientName, '') = $name
        AND coalesce(PatientBirthDate, '') = $born AND coalesce(PatientSex, '') = $sex
        AND coalesce(IssuerOfPatientID, '') = $issuer
) USING (source, location)

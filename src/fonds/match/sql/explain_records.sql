-- Records as matching read them, or as found where matching hasn't read them yet, each with its person
WITH known AS (
    SELECT record_id, origin, source, issuer, PatientID, PatientName, PatientBirthName, PatientBirthDate, PatientSex,
        studies, missing
    FROM match_records
    UNION ALL BY NAME
    SELECT record_id, 'archive' AS origin, source, issuer, PatientID, PatientName, PatientBirthDate, PatientSex, studies
    FROM patient_records ANTI JOIN match_records USING (record_id)
)
SELECT known.*, person_id, cluster_size, settled, reason
FROM known LEFT JOIN persons USING (record_id) WHERE list_contains($records, record_id) ORDER BY record_id

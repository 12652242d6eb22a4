-- The parts of a study that is on several patients (parameter: study); the first keeps the study's UID when it is parted,
-- as the link stage chooses
SELECT coalesce(p.person_id, concat_ws('|', i.source, i.IssuerOfPatientID, i.PatientID)) AS owner,
    list_sort(list(DISTINCT i.source)) AS sources, any_value(p.person_id) AS person_id,
    list_sort(list(DISTINCT i.PatientID) FILTER (i.PatientID <> ''))[:3] AS patient_ids,
    list_sort(list(DISTINCT i.IssuerOfPatientID) FILTER (i.IssuerOfPatientID <> ''))[:3] AS issuers,
    list_sort(list(DISTINCT i.PatientName) FILTER (i.PatientName <> ''))[:3] AS names,
    list_sort(list(DISTINCT i.PatientBirthDate) FILTER (i.PatientBirthDate <> ''))[:3] AS born,
    list_sort(list(DISTINCT i.PatientSex) FILTER (i.PatientSex <> ''))[:3] AS sexes,
    list_sort(list(DISTINCT i.Modality) FILTER (i.Modality <> '')) AS modalities,
    min(i.StudyDate) AS day, list_sort(list(DISTINCT i.StudyDescription) FILTER (i.StudyDescription <> ''))[:3] AS descriptions,
    count(DISTINCT i.SOPInstanceUID) AS objects, count(DISTINCT i.SeriesInstanceUID) AS series
FROM instances i JOIN instance_records r USING (source, location) LEFT JOIN persons p USING (record_id)
WHERE i.StudyInstanceUID = $study GROUP BY owner ORDER BY objects DESC, owner LIMIT $wanted

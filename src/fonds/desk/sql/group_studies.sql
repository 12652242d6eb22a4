-- Studies side by side (parameter: studies); texts as found, several values of one study as a list
SELECT i.StudyInstanceUID AS study_uid, list_sort(list(DISTINCT i.source)) AS sources, min(i.StudyDate) AS day,
    list_sort(list(DISTINCT i.StudyTime) FILTER (i.StudyTime <> ''))[:3] AS hours,
    list_sort(list(DISTINCT i.StudyDescription) FILTER (i.StudyDescription <> ''))[:3] AS descriptions,
    list_sort(list(DISTINCT i.AccessionNumber) FILTER (i.AccessionNumber <> ''))[:3] AS accessions,
    list_sort(list(DISTINCT i.Modality) FILTER (i.Modality <> '')) AS modalities,
    list_sort(list(DISTINCT trim(concat_ws(' ', i.Manufacturer, i.StationName, i.DeviceSerialNumber)))
        FILTER (concat_ws('', i.Manufacturer, i.StationName, i.DeviceSerialNumber) <> ''))[:4] AS devices,
    list_sort(list(DISTINCT i.InstitutionName) FILTER (i.InstitutionName <> ''))[:3] AS institutions,
    list_sort(list(DISTINCT i.PatientName) FILTER (i.PatientName <> ''))[:3] AS names,
    list_sort(list(DISTINCT i.PatientID) FILTER (i.PatientID <> ''))[:3] AS patient_ids,
    list_sort(list(DISTINCT i.PatientBirthDate) FILTER (i.PatientBirthDate <> ''))[:3] AS born,
    list_sort(list(DISTINCT p.person_id) FILTER (p.person_id IS NOT NULL))[:3] AS persons,
    count(DISTINCT i.SOPInstanceUID) AS objects, count(DISTINCT i.SeriesInstanceUID) AS series
FROM instances i JOIN instance_records r USING (source, location) LEFT JOIN persons p USING (record_id)
WHERE i.StudyInstanceUID IN (SELECT unnest($studies)) GROUP BY i.StudyInstanceUID

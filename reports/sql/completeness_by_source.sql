-- How many objects of each source carry the key attributes, with approved changes applied
SELECT CASE WHEN department <> source THEN source || ' (' || department || ')' ELSE source END AS source,
    CASE attribute WHEN 'IssuerOfPatientID' THEN 'Issuer' WHEN 'PatientBirthDate' THEN 'Birth date'
        WHEN 'PatientName' THEN 'Name' WHEN 'PatientID' THEN 'Patient ID' WHEN 'AccessionNumber' THEN 'Accession'
        WHEN 'StudyDate' THEN 'Study date' WHEN 'StudyDescription' THEN 'Description'
        WHEN 'BodyPartExamined' THEN 'Body part' ELSE attribute END AS attribute,
    share_after AS share
FROM key_completeness WHERE share_after IS NOT NULL
ORDER BY list_position(['PatientID', 'IssuerOfPatientID', 'PatientName', 'PatientBirthDate', 'AccessionNumber', 'StudyDate',
    'StudyDescription', 'Modality', 'BodyPartExamined'], key_completeness.attribute), source

-- One row an instance; an empty Study Instance UID is ''. accession_patients counts who else uses the accession number.
-- index_differs: see docs/drift.md.
SELECT i.* REPLACE (CASE WHEN trim(coalesce(i.StudyInstanceUID, '')) = '' THEN '' ELSE i.StudyInstanceUID END
    AS StudyInstanceUID), a.accession_patients,
    CASE WHEN i.source IN (SELECT source FROM drift) THEN coalesce(d.attributes, '') END AS index_differs, $settings
FROM instances i LEFT JOIN sources s USING (source)
    LEFT JOIN (
        SELECT source, accession, count(*) AS accession_patients
        FROM (SELECT DISTINCT source, trim(AccessionNumber) AS accession, trim(PatientID) AS patient
              FROM instances WHERE trim(AccessionNumber) <> '' AND trim(PatientID) <> '')
        GROUP BY source, accession
    ) a ON a.source = i.source AND a.accession = trim(i.AccessionNumber)
    LEFT JOIN (
        SELECT source, study_uid, string_agg(DISTINCT attribute, ' ' ORDER BY attribute) AS attributes
        FROM drift WHERE kind IN ('differs', 'index-disagrees') GROUP BY source, study_uid
    ) d ON d.source = i.source AND d.study_uid = trim(i.StudyInstanceUID)

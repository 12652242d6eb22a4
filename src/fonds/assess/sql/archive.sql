-- One row a record of a medium's directory, beside the header of the file it names (extension, version or case apart),
-- and one row an object in a directory's folder or below it (level FILE), which a record names or not.
WITH media AS (
    SELECT *, lower(regexp_replace(location, '[^/!]*$', '') || referenced_file) AS file
    FROM entries WHERE coalesce(origin, 'dicomdir') = 'dicomdir'
),
spelled AS (
    SELECT source, location, unnest(list_distinct([
        lower(location), regexp_replace(lower(location), '(\.[a-z]{0,5})?(;[0-9]+)?$', '')
    ])) AS file
    FROM inventory WHERE source IN (SELECT source FROM media)
),
files AS (
    SELECT source, file, arg_min(location, (length(location), location)) AS location FROM spelled GROUP BY source, file
),
patients AS (
    SELECT source, location, study_uid, min(attributes->>'PatientID') AS patient_id
    FROM media WHERE level = 'STUDY' GROUP BY ALL
),
folders AS (SELECT DISTINCT source, regexp_replace(location, '[^/!]*$', '') AS folder FROM media),
beside AS (
    SELECT DISTINCT source, location, StudyInstanceUID, SeriesInstanceUID, SOPInstanceUID FROM (
        SELECT *, unnest(list_transform(range(length(parts) + 1), lambda n: array_to_string(parts[:n], ''))) AS folder
        FROM (SELECT *, regexp_extract_all(location, '[^/!]*[/!]') AS parts FROM instances)
        WHERE source IN (SELECT source FROM folders)
    ) SEMI JOIN folders USING (source, folder)
),
named AS (
    SELECT DISTINCT s.source, s.location FROM spelled s SEMI JOIN media m ON m.source = s.source AND m.file = s.file
)
SELECT e.* EXCLUDE (file), f.file IS NOT NULL AS file_found, i.SOPInstanceUID AS file_sop_uid, i.SeriesInstanceUID AS file_series_uid,
    i.StudyInstanceUID AS file_study_uid, i.PatientID AS file_patient_id, p.patient_id, NULL::BOOLEAN AS named, $settings
FROM media e
    LEFT JOIN sources s USING (source)
    LEFT JOIN files f ON f.source = e.source AND f.file = e.file
    LEFT JOIN instances i ON i.source = f.source AND i.location = f.location
    LEFT JOIN patients p ON p.source = e.source AND p.location = e.location AND p.study_uid = e.study_uid
UNION ALL BY NAME
SELECT b.source, b.location, 'FILE' AS level, b.StudyInstanceUID AS study_uid, b.SeriesInstanceUID AS series_uid,
    b.SOPInstanceUID AS sop_uid, n.location IS NOT NULL AS named, $settings
FROM beside b LEFT JOIN sources s USING (source) LEFT JOIN named n ON n.source = b.source AND n.location = b.location

-- Reports without images and images without reports. `context_gap_rows` has the columns of `gaps`.
-- What an object is to a reader: a recording (image or waveform), a report, or a rejection note (IOCM, CID 7011).
CREATE TEMP TABLE roles AS
SELECT i.source, i.location, i.StudyInstanceUID AS study_uid, nullif(trim(i.AccessionNumber), '') AS accession,
    coalesce(p.person_id, '') AS person,
    i.DocumentTitleCode IN ('113001', '113037', '113038', '113039') AND i.SOPClassUID = '1.2.840.10008.5.1.4.1.1.88.59' AS rejects,
    -- pixel data is an image unless it is a segmentation or a dose grid
    (i.pixel_length IS NOT NULL AND NOT starts_with(i.SOPClassUID, '1.2.840.10008.5.1.4.1.1.66.') AND i.SOPClassUID <> '1.2.840.10008.5.1.4.1.1.481.2')
        OR starts_with(i.SOPClassUID, '1.2.840.10008.5.1.4.1.1.9.') AS recording,
    -- structured reports and key objects but radiation dose, encapsulated documents
    coalesce((starts_with(i.SOPClassUID, '1.2.840.10008.5.1.4.1.1.88.')
              AND i.SOPClassUID NOT IN ('1.2.840.10008.5.1.4.1.1.88.67', '1.2.840.10008.5.1.4.1.1.88.68', '1.2.840.10008.5.1.4.1.1.88.76'))
        OR starts_with(i.SOPClassUID, '1.2.840.10008.5.1.4.1.1.104.') OR i.Modality IN ('SR', 'DOC', 'KO'), false) AS report
FROM instances i JOIN instance_records r USING (source, location) LEFT JOIN persons p USING (record_id);
CREATE TEMP TABLE reported AS
SELECT DISTINCT study_uid, accession, person FROM roles WHERE report AND NOT coalesce(rejects, false);
CREATE TEMP TABLE recorded AS SELECT DISTINCT study_uid, accession, person FROM roles WHERE recording;
CREATE TEMP TABLE context_gap_rows AS
WITH unreported AS (
    SELECT DISTINCT source, study_uid FROM roles r WHERE recording AND trim(study_uid) <> ''
        AND NOT EXISTS (FROM reported o WHERE o.study_uid = r.study_uid)
        AND NOT EXISTS (FROM reported o WHERE o.accession = r.accession AND o.person = r.person)
), unpictured AS (
    SELECT DISTINCT source, study_uid FROM roles r WHERE report AND NOT coalesce(rejects, false) AND trim(study_uid) <> ''
        AND NOT EXISTS (FROM recorded o WHERE o.study_uid = r.study_uid)
        AND NOT EXISTS (FROM recorded o WHERE o.accession = r.accession AND o.person = r.person)
)
-- a study is reported as soon as one of its objects is: its accession may stand in some of them only
SELECT 'images-without-report' AS kind, NULL::VARCHAR AS check_id, NULL::VARCHAR AS severity, source, NULL::VARCHAR AS person_id,
    study_uid, study_uid AS entity, 'no report under this study or its accession number in any archive' AS message
FROM unreported u WHERE NOT EXISTS (
    SELECT 1 FROM roles r JOIN reported o ON o.accession = r.accession AND o.person = r.person WHERE r.study_uid = u.study_uid)
UNION ALL
SELECT 'report-without-images', NULL, NULL, source, NULL, study_uid, study_uid,
    'no image or waveform under this study or its accession number in any archive'
FROM unpictured u WHERE NOT EXISTS (
    SELECT 1 FROM roles r JOIN recorded o ON o.accession = r.accession AND o.person = r.person WHERE r.study_uid = u.study_uid);
CREATE TEMP VIEW accession_rows AS FROM accessions WHERE false;
CREATE TEMP VIEW feed_link_rows AS FROM feed_links WHERE false

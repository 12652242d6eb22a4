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
CREATE TEMP TABLE gap_rows AS
WITH dangling AS (
    SELECT 'dangling-reference' AS kind, source, study_uid, uid AS entity,
        concat(count(DISTINCT location), ' object(s) of this study point to the ', level, ' ', uid, ', which no archive holds') AS message
    FROM answer WHERE state = 'dangling' GROUP BY source, study_uid, uid, level
), unknown_study AS (
    SELECT 'referenced-study-missing' AS kind, source, study_uid, to_study_uid AS entity,
        concat(count(DISTINCT location), ' object(s) of this study point into the study ', to_study_uid, ', which no archive holds') AS message
    FROM answer ANTI JOIN (SELECT DISTINCT StudyInstanceUID AS to_study_uid FROM instances) held USING (to_study_uid)
    WHERE to_study_uid IS NOT NULL GROUP BY source, study_uid, to_study_uid
), crossing AS (
    SELECT 'other-patient' AS kind, source, study_uid, uid AS entity,
        concat(count(DISTINCT location), ' object(s) of this study point to the ', level, ' ', uid, ', which is another patient''s') AS message
    FROM answer WHERE NOT same_patient GROUP BY source, study_uid, uid, level
), rejected AS (
    SELECT 'rejected-object' AS kind, i.source, i.StudyInstanceUID AS study_uid, i.SOPInstanceUID AS entity,
        concat('a rejection note (', string_agg(DISTINCT n.title, ', ' ORDER BY n.title), ') takes this object back') AS message
    FROM (SELECT a.to_sop_uid, i.StudyInstanceUID AS note_study, i.DocumentTitleCode AS title
          FROM answer a JOIN roles o USING (source, location) JOIN instances i USING (source, location)
          WHERE o.rejects AND a.to_sop_uid IS NOT NULL AND a.state <> 'dangling') n
        JOIN instances i ON i.SOPInstanceUID = n.to_sop_uid
    GROUP BY i.source, i.StudyInstanceUID, i.SOPInstanceUID
), unreported AS (
    SELECT DISTINCT source, study_uid FROM roles r WHERE recording AND trim(study_uid) <> ''
        AND NOT EXISTS (FROM reported o WHERE o.study_uid = r.study_uid)
        AND NOT EXISTS (FROM reported o WHERE o.accession = r.accession AND o.person = r.person)
), unpictured AS (
    SELECT DISTINCT source, study_uid FROM roles r WHERE report AND NOT coalesce(rejects, false) AND trim(study_uid) <> ''
        AND NOT EXISTS (FROM recorded o WHERE o.study_uid = r.study_uid)
        AND NOT EXISTS (FROM recorded o WHERE o.accession = r.accession AND o.person = r.person)
)
FROM dangling
UNION ALL FROM unknown_study
UNION ALL FROM crossing
UNION ALL FROM rejected
UNION ALL
-- a study is reported as soon as one of its objects is: its accession may stand in some of them only
SELECT 'images-without-report', source, study_uid, study_uid,
    'no report under this study or its accession number in any archive'
FROM unreported u WHERE NOT EXISTS (
    SELECT 1 FROM roles r JOIN reported o ON o.accession = r.accession AND o.person = r.person WHERE r.study_uid = u.study_uid)
UNION ALL
SELECT 'report-without-images', source, study_uid, study_uid,
    'no image or waveform under this study or its accession number in any archive'
FROM unpictured u WHERE NOT EXISTS (
    SELECT 1 FROM roles r JOIN recorded o ON o.accession = r.accession AND o.person = r.person WHERE r.study_uid = u.study_uid)
UNION ALL
SELECT 'missing-files', source, study_uid, coalesce(sop_uid, series_uid, study_uid),
    concat('the ', lower(any_value(level)), ' is in ', string_agg(DISTINCT index_source, ', ' ORDER BY index_source), ', but no file of ', source, ' belongs to it')
FROM drift WHERE kind = 'only-in-index' GROUP BY source, study_uid, coalesce(sop_uid, series_uid, study_uid)

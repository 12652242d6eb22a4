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
          FROM answer a JOIN instances i USING (source, location)
          WHERE i.DocumentTitleCode IN ('113001', '113037', '113038', '113039') AND i.SOPClassUID = '1.2.840.10008.5.1.4.1.1.88.59' AND a.to_sop_uid IS NOT NULL AND a.state <> 'dangling') n
        JOIN instances i ON i.SOPInstanceUID = n.to_sop_uid
    GROUP BY i.source, i.StudyInstanceUID, i.SOPInstanceUID
)
FROM dangling
UNION ALL FROM unknown_study
UNION ALL FROM crossing
UNION ALL FROM rejected
UNION ALL
SELECT 'missing-files', source, study_uid, coalesce(sop_uid, series_uid, study_uid),
    concat('the ', lower(any_value(level)), ' is in ', string_agg(DISTINCT index_source, ', ' ORDER BY index_source), ', but no file of ', source, ' belongs to it')
FROM drift WHERE kind = 'only-in-index' GROUP BY source, study_uid, coalesce(sop_uid, series_uid, study_uid)

UNION ALL BY NAME
FROM context_gap_rows

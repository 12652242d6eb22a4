-- Members of groups that are held or were decided; a member that stands in two classes of its group is one row
WITH asked AS (
    SELECT group_id FROM duplicates WHERE disposition = 'hold'
    UNION SELECT subject_a FROM standing WHERE kind = 'duplicate'
), members AS (
    SELECT group_id, source, member, min(level) AS level, list_sort(list(DISTINCT class)) AS classes,
        array_to_string(list_sort(list(DISTINCT evidence)), '; ') AS evidence,
        any_value(sop_uid) AS sop_uid, any_value(study_uid) AS study_uid
    FROM duplicates SEMI JOIN asked USING (group_id) GROUP BY group_id, source, member
)
SELECT d.*, i.PatientName AS patient, coalesce(i.StudyDate, t.StudyDate) AS day, i.Modality AS modality, i.size,
    s.verdict, s.subject_b AS chosen, s.who, s.at, s.decision_id
FROM members d
LEFT JOIN instances i ON i.source = d.source AND i.location = d.member
LEFT JOIN studies t ON t.source = d.source AND t.StudyInstanceUID = d.member
LEFT JOIN (FROM standing WHERE kind = 'duplicate') s
    ON s.subject_a = d.group_id AND s.subject_b IN ('', d.source || '|' || d.member)
ORDER BY d.group_id, d.source, d.member LIMIT 400

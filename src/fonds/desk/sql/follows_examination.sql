-- What becomes of studies that are one examination when they are united under the one that the policy would keep
-- (parameter: group); an image that one has already is left behind.
WITH members AS (
    SELECT DISTINCT study_uid, kept_location AS kept_study FROM duplicates WHERE group_id = $group
), joining AS (
    SELECT i.source, i.location FROM instances i SEMI JOIN (FROM members WHERE study_uid <> kept_study) m
        ON m.study_uid = i.StudyInstanceUID
), pictured AS (
    SELECT d.group_id, d.content, d.source, d.member AS location, d.study_uid, m.kept_study
    FROM duplicates d JOIN members m ON m.study_uid = d.study_uid WHERE d.class IN ('e', 'j')
), copies AS (
    SELECT p.source, p.location FROM pictured p JOIN pictured k USING (group_id, content)
    WHERE k.study_uid = k.kept_study AND p.study_uid <> p.kept_study
    UNION
    SELECT d.source, d.member FROM duplicates d SEMI JOIN joining j ON j.source = d.source AND j.location = d.member
    WHERE d.level = 'instance' AND d.disposition = 'drop-copy'
), fates AS (
    SELECT 'unite' AS verdict, j.source, j.location, CASE WHEN c.source IS NOT NULL THEN 'left' ELSE 'new' END AS fate, true AS changes
    FROM joining j LEFT JOIN copies c ON c.source = j.source AND c.location = j.location
), meant AS (
    SELECT source, location, resolved_source, resolved_location, state, candidates
    FROM links SEMI JOIN (FROM members WHERE study_uid <> kept_study) m ON m.study_uid = to_study_uid
),

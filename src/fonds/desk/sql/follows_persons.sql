-- What becomes of a study on several patients whose parts get new UIDs, as the link stage will part it (parameter: group)
WITH members AS (
    SELECT DISTINCT study_uid FROM duplicates WHERE group_id = $group
), parts AS (
    SELECT i.source, i.location, i.SOPInstanceUID AS sop_uid,
        coalesce(p.person_id, concat_ws('|', i.source, i.IssuerOfPatientID, i.PatientID)) AS owner
    FROM instances i SEMI JOIN members m ON m.study_uid = i.StudyInstanceUID JOIN instance_records r USING (source, location)
        LEFT JOIN persons p USING (record_id)
), stays AS (
    SELECT owner FROM parts GROUP BY owner ORDER BY count(DISTINCT sop_uid) DESC, owner LIMIT 1
), copies AS (
    SELECT DISTINCT d.source, d.member AS location FROM duplicates d
        SEMI JOIN parts p ON p.source = d.source AND p.location = d.member
    WHERE d.level = 'instance' AND d.disposition = 'drop-copy'
), fates AS (
    SELECT 'remap' AS verdict, p.source, p.location, CASE WHEN c.source IS NOT NULL THEN 'left' ELSE 'new' END AS fate, true AS changes
    FROM parts p ANTI JOIN stays USING (owner) LEFT JOIN copies c ON c.source = p.source AND c.location = p.location
), meant AS (
    SELECT source, location, resolved_source, resolved_location, state, candidates
    FROM links SEMI JOIN members m ON m.study_uid = to_study_uid
),

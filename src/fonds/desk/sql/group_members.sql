-- Members of a group, the kept one first (what gets new UIDs is kept for itself alone), each with how many objects that go point to it. A member that stands in two
-- classes of its group is one row.
WITH members AS (
    SELECT source, member, list_sort(list(DISTINCT class)) AS classes, max(content) AS content, any_value(sop_uid) AS sop_uid,
        any_value(study_uid) AS study_uid, list_sort(list_distinct(flatten(list(differs)))) AS differs,
        list_sort(list(DISTINCT evidence)) AS evidence, list_sort(list(DISTINCT disposition)) AS dispositions,
        any_value(why) AS why, any_value(level) AS level,
        bool_or(source = kept_source AND member = kept_location AND disposition <> 'remap') OR (any_value(level) = 'study' AND any_value(class) = 'h'
            AND bool_or(member = kept_location)) AS kept
    FROM duplicates WHERE group_id = $group GROUP BY source, member
), shown AS (
    SELECT *, count(*) OVER () AS total FROM members ORDER BY kept DESC, content, source, member LIMIT $wanted
), pointers AS (
    SELECT l.resolved_source AS source, l.resolved_location AS member, count(DISTINCT (l.source, l.location)) AS pointing
    FROM links l SEMI JOIN shown ON shown.source = l.resolved_source AND shown.member = l.resolved_location
    GROUP BY ALL
)
SELECT s.*, i.size, i.transfer_syntax, i.PatientName AS patient, i.StudyDate AS day, i.Modality AS modality,
    i.StudyInstanceUID AS own_study, i.SeriesInstanceUID AS own_series, coalesce(p.pointing, 0) AS pointing
FROM shown s LEFT JOIN instances i ON i.source = s.source AND i.location = s.member LEFT JOIN pointers p ON p.source = s.source AND p.member = s.member
ORDER BY s.kept DESC, s.content, s.source, s.member

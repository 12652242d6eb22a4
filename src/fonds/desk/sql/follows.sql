-- What verdicts on a group would bring, as the deduplicate and link stages will do it: a row for each, with objects that
-- get new UIDs, are left behind as copies, or keep waiting; objects that point to what changes, by source; references of
-- which it can't be told what they mean or that lead nowhere, and objects the target has already: these refuse new UIDs.
-- `keep` is told for the copy that the policy would keep, `unite` for its study.
WITH members AS (
    SELECT source, member AS location, any_value(level) AS level, min(class) FILTER (class IN ('a', 'b', 'c', 'd')) AS likeness,
        max(content) AS content, any_value(sop_uid) AS sop_uid, any_value(study_uid) AS study_uid,
        bool_or(source = kept_source AND member = kept_location) AS kept, any_value(kept_source) AS kept_source,
        any_value(kept_location) AS kept_location, bool_or(class IN ('e', 'j')) AS pictures
    FROM duplicates WHERE group_id = $group GROUP BY source, member
), files AS (
    SELECT m.*, i.digest_object, concat_ws('|', i.StudyInstanceUID, i.SeriesInstanceUID) AS place,
        concat_ws('|', i.StudyInstanceUID, i.SeriesInstanceUID, m.content) AS slot,
        concat_ws('|', k.StudyInstanceUID, k.SeriesInstanceUID) AS kept_place, k.SOPInstanceUID AS kept_sop
    FROM members m JOIN instances i ON i.source = m.source AND i.location = m.location
        LEFT JOIN instances k ON k.source = m.kept_source AND k.location = m.kept_location
    WHERE m.level = 'instance'
), slots AS (
    SELECT *, first_value(slot) OVER (ORDER BY kept DESC, source, location) AS kept_slot,
        row_number() OVER (PARTITION BY slot ORDER BY source, location) = 1 AS leads,
        first_value(digest_object) OVER (PARTITION BY slot ORDER BY source, location) AS lead_digest
    FROM files
), parts AS (
    SELECT i.source, i.location, i.SOPInstanceUID AS sop_uid,
        coalesce(p.person_id, concat_ws('|', i.source, i.IssuerOfPatientID, i.PatientID)) AS owner
    FROM instances i JOIN instance_records r USING (source, location) LEFT JOIN persons p USING (record_id)
    WHERE $class = 'g' AND i.StudyInstanceUID IN (SELECT study_uid FROM members)
), stays AS (
    SELECT owner FROM parts GROUP BY owner ORDER BY count(DISTINCT sop_uid) DESC, owner LIMIT 1
), joining AS (
    SELECT i.source, i.location, i.SOPInstanceUID AS sop_uid, i.StudyInstanceUID AS study_uid FROM instances i
    WHERE $class = 'h' AND i.StudyInstanceUID IN (SELECT study_uid FROM members)
        AND i.StudyInstanceUID NOT IN (SELECT kept_location FROM members WHERE kept_location IS NOT NULL)
), pictured AS (
    SELECT d.group_id, d.content, d.source, d.member AS location, d.study_uid FROM duplicates d
    WHERE $class = 'h' AND d.class IN ('e', 'j') AND d.study_uid IN (SELECT study_uid FROM members)
), had AS (
    SELECT DISTINCT p.source, p.location FROM pictured p JOIN pictured k USING (group_id, content)
    WHERE k.study_uid IN (SELECT kept_location FROM members) AND p.study_uid <> k.study_uid
), gone AS (
    SELECT DISTINCT source, member AS location FROM duplicates WHERE level = 'instance' AND disposition = 'drop-copy'
), fates AS (
    SELECT 'remap' AS verdict, source, location, CASE WHEN slot = kept_slot THEN
            CASE WHEN kept THEN 'stays' WHEN likeness IN ('a', 'b') THEN 'left' ELSE 'waits' END
        WHEN leads THEN 'new' WHEN digest_object = lead_digest THEN 'left' ELSE 'waits' END AS fate, slot <> kept_slot AS changes
    FROM slots WHERE NOT pictures
    UNION ALL
    SELECT 'keep', source, location, CASE WHEN kept THEN 'stays' ELSE 'left' END,
        NOT kept AND (place <> kept_place OR sop_uid <> kept_sop) FROM slots
    UNION ALL
    SELECT 'remap', source, location, CASE WHEN g.source IS NOT NULL THEN 'left' ELSE 'new' END, true
    FROM parts ANTI JOIN stays USING (owner) LEFT JOIN gone g USING (source, location)
    UNION ALL
    SELECT 'unite', j.source, j.location, CASE WHEN h.source IS NOT NULL OR g.source IS NOT NULL THEN 'left' ELSE 'new' END, true
    FROM joining j LEFT JOIN had h USING (source, location) LEFT JOIN gone g USING (source, location)
), changing AS (
    SELECT verdict, source, location FROM fates WHERE changes
), named AS (
    SELECT source, location, resolved_source, resolved_location, state, candidates,
        coalesce(to_sop_uid IN (SELECT sop_uid FROM members WHERE level = 'instance'), false)
            OR coalesce(to_study_uid IN (SELECT study_uid FROM members WHERE level = 'study'), false) AS meant
    FROM links ANTI JOIN gone USING (source, location)
    WHERE to_sop_uid IN (SELECT sop_uid FROM members WHERE level = 'instance')
        OR to_study_uid IN (SELECT study_uid FROM members WHERE level = 'study')
        OR (resolved_source, resolved_location) IN (SELECT (source, location) FROM changing)
), following AS (
    SELECT DISTINCT verdict, n.source, n.location
    FROM named n JOIN changing c ON c.source = n.resolved_source AND c.location = n.resolved_location
), pointing AS (
    SELECT verdict, list({'source': source, 'objects': objects} ORDER BY source) AS pointing
    FROM (SELECT verdict, source, count(*) AS objects FROM following GROUP BY verdict, source) GROUP BY verdict
), doubted AS (
    SELECT count(DISTINCT (source, location)) AS doubtful FROM named WHERE meant AND (state = 'dangling' OR candidates > 1)
), there AS (
    SELECT verdict, count(*) AS sent FROM (
        SELECT verdict, source, location FROM fates WHERE fate = 'new' UNION FROM following)
    SEMI JOIN (FROM ledger WHERE state IN ('sending', 'sent', 'verified')) l USING (source, location) GROUP BY verdict
)
SELECT verdict, count(*) FILTER (fate = 'new') AS renamed, count(*) FILTER (fate = 'left') AS left_behind,
    count(*) FILTER (fate = 'waits') AS waiting, any_value(p.pointing) AS pointing, any_value(d.doubtful) AS doubtful,
    coalesce(any_value(t.sent), 0) AS sent
FROM fates f LEFT JOIN there t USING (verdict) LEFT JOIN pointing p USING (verdict) CROSS JOIN doubted d
GROUP BY verdict ORDER BY verdict

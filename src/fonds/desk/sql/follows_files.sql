-- What becomes of files, as the deduplicate stage will dispose them (parameter: group). `keep` is told for the copy that
-- the policy would keep.
WITH members AS (
    SELECT source, member AS location, min(class) FILTER (class IN ('a', 'b', 'c', 'd')) AS likeness, max(content) AS content,
        any_value(sop_uid) AS sop_uid, bool_or(source = kept_source AND member = kept_location AND disposition <> 'remap') AS kept,
        any_value(kept_source) AS kept_source, any_value(kept_location) AS kept_location, bool_or(class IN ('e', 'j')) AS pictures
    FROM duplicates WHERE group_id = $group GROUP BY source, member
), kept AS (
    -- what got new UIDs is kept for itself alone; by what would be done without that there is one for all
    SELECT * REPLACE (CASE WHEN pictures THEN kept_source ELSE first_value(source) OVER one END AS kept_source,
        CASE WHEN pictures THEN kept_location ELSE first_value(location) OVER one END AS kept_location)
    FROM members WINDOW one AS (ORDER BY kept DESC, content, source, location)
), places AS (
    SELECT source, location, SOPInstanceUID AS sop_uid, digest_object, concat_ws('|', StudyInstanceUID, SeriesInstanceUID) AS place
    FROM instances SEMI JOIN members USING (source, location)
), files AS (
    SELECT m.* EXCLUDE (sop_uid), p.sop_uid, p.digest_object, p.place, concat_ws('|', p.place, m.content) AS slot,
        k.place AS kept_place, k.sop_uid AS kept_sop
    FROM kept m JOIN places p ON p.source = m.source AND p.location = m.location
        LEFT JOIN places k ON k.source = m.kept_source AND k.location = m.kept_location
), slots AS (
    SELECT *, first_value(slot) OVER (ORDER BY kept DESC, source, location) AS kept_slot,
        row_number() OVER (PARTITION BY slot ORDER BY source, location) = 1 AS leads,
        first_value(digest_object) OVER (PARTITION BY slot ORDER BY source, location) AS lead_digest
    FROM files
), fates AS (
    SELECT 'remap' AS verdict, source, location, CASE WHEN slot = kept_slot THEN
            CASE WHEN kept THEN 'stays' WHEN likeness IN ('a', 'b') THEN 'left' ELSE 'waits' END
        WHEN leads THEN 'new' WHEN digest_object = lead_digest THEN 'left' ELSE 'waits' END AS fate, slot <> kept_slot AS changes
    FROM slots WHERE NOT pictures
    UNION ALL
    SELECT 'keep', source, location, CASE WHEN kept THEN 'stays' ELSE 'left' END,
        NOT kept AND (place <> kept_place OR sop_uid <> kept_sop) FROM slots
), meant AS (
    SELECT source, location, resolved_source, resolved_location, state, candidates
    FROM links SEMI JOIN (SELECT DISTINCT sop_uid FROM members) m ON m.sop_uid = to_sop_uid
),

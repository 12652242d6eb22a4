-- Every file of the inventory with its study and record, and everything that holds a study. `study_key` is the UID the
-- study has at the target, over all archives; an object without one stands for itself. `study_uid` and `sop_uid` are what
-- the source says, `target_uid` is the object's own UID at the target.
CREATE TEMP TABLE renamed AS
SELECT source, location, max(after) FILTER (attribute = 'StudyInstanceUID') AS study_uid,
    max(after) FILTER (attribute = 'SOPInstanceUID') AS sop_uid
FROM remaps WHERE state = 'planned' GROUP BY source, location;
CREATE TEMP TABLE files AS
SELECT v.source, v.location, v.kind, u.reason AS unreadable, i.SOPInstanceUID AS sop_uid, i.StudyInstanceUID AS study_uid,
    i.SeriesInstanceUID AS series_uid, r.record_id, p.person_id, p.settled,
    CASE WHEN v.kind = 'instance'
        THEN coalesce(nullif(trim(coalesce(m.study_uid, i.StudyInstanceUID)), ''), concat_ws('|', v.source, v.location)) END AS study_key,
    coalesce(m.sop_uid, i.SOPInstanceUID) AS target_uid
FROM inventory v
    -- plain keys only: a further condition here makes these nested loops
    LEFT JOIN instances i ON i.source = v.source AND i.location = v.location
    LEFT JOIN instance_records r ON r.source = v.source AND r.location = v.location
    LEFT JOIN persons p ON p.record_id = r.record_id
    LEFT JOIN renamed m ON m.source = v.source AND m.location = v.location
    LEFT JOIN unreadable u ON u.source = v.source AND u.location = v.location;
-- Where a study of a source goes: to several studies when its objects are told apart
CREATE TEMP TABLE parts AS
SELECT DISTINCT source, trim(study_uid) AS study_uid, study_key FROM files WHERE kind = 'instance' AND trim(study_uid) <> '';
CREATE TEMP TABLE blocking AS
SELECT source, level, entity, check_id, name,
    CASE WHEN name = 'overlay' THEN 'overlay' WHEN name = 'study-on-two-patients' THEN 'study-on-two-patients'
         ELSE 'critical-finding' END AS reason
FROM findings WHERE severity = 'block';
CREATE TEMP TABLE concerned AS
SELECT f.study_key, b.* FROM blocking b JOIN files f ON f.source = b.source AND f.kind = 'instance'
    AND b.level = 'instance' AND f.location = b.entity
UNION ALL
SELECT DISTINCT f.study_key, b.* FROM blocking b JOIN files f ON f.source = b.source AND f.kind = 'instance'
    AND b.level = 'series' AND coalesce(f.series_uid, '') = coalesce(b.entity, '')
UNION ALL
SELECT DISTINCT f.study_key, b.* FROM blocking b JOIN files f ON f.source = b.source AND f.kind = 'instance'
    AND b.level = 'study' AND coalesce(f.study_uid, '') = coalesce(b.entity, '')
UNION ALL
SELECT DISTINCT f.study_key, b.* FROM blocking b JOIN files f ON f.source = b.source AND f.record_id = b.entity
    AND b.level = 'patient';
CREATE TEMP TABLE groups AS
SELECT group_id, class, level, source, member, trim(member) AS study_uid, disposition, kept_source, kept_location FROM duplicates;
CREATE TEMP TABLE members AS
SELECT f.study_key, f.person_id, g.* EXCLUDE (study_uid)
FROM groups g JOIN files f ON f.source = g.source AND f.location = g.member WHERE g.level = 'instance'
UNION ALL
SELECT p.study_key, NULL, g.* EXCLUDE (study_uid)
FROM groups g JOIN parts p ON p.source = g.source AND p.study_uid = g.study_uid WHERE g.level = 'study';
-- Decided to be told apart or united, but the link stage hasn't planned it: g needs new UIDs of one of its persons, h of
-- every object outside the kept study that isn't left behind.
CREATE TEMP TABLE unlinked AS
WITH told AS (
    SELECT DISTINCT g.group_id FROM groups g JOIN files f ON f.source = g.source AND trim(f.study_uid) = g.study_uid
        JOIN remaps r ON r.source = f.source AND r.location = f.location
    WHERE g.class = 'g' AND g.disposition = 'remap'
), kept AS (
    SELECT DISTINCT g.group_id, p.study_key FROM groups g JOIN parts p ON p.study_uid = trim(g.kept_location)
    WHERE g.class = 'h' AND g.disposition = 'unite'
), dropped AS (
    SELECT DISTINCT source, member AS location FROM groups WHERE level = 'instance' AND disposition = 'drop-copy'
), outside AS (
    SELECT DISTINCT g.group_id, f.study_key FROM groups g JOIN files f ON f.source = g.source AND trim(f.study_uid) = g.study_uid
        ANTI JOIN dropped d ON d.source = f.source AND d.location = f.location
    WHERE g.class = 'h' AND g.level = 'study' AND g.disposition = 'unite' AND g.kept_location IS NOT NULL
)
SELECT m.study_key, m.group_id FROM members m ANTI JOIN told USING (group_id)
WHERE m.class = 'g' AND m.disposition = 'remap'
UNION
SELECT o.study_key, o.group_id FROM outside o ANTI JOIN kept k ON k.group_id = o.group_id AND k.study_key = o.study_key;
-- Why a study can't go: reason and what it is about (identifiers of ours and UIDs only, no patient's value).
CREATE TEMP TABLE holds AS
SELECT study_key, reason, list_sort(list(DISTINCT subject)) AS subjects FROM (
    SELECT study_key, 'identity-question' AS reason,
        CASE WHEN settled IS NULL THEN concat(record_id, ' (not matched yet)') ELSE record_id END AS subject
    FROM files WHERE kind = 'instance' AND settled IS DISTINCT FROM true
    UNION ALL
    SELECT study_key, reason, concat(check_id, ' ', name, ' in ', source) FROM concerned c
    -- a steward who separated the group of class g has answered this finding too
    WHERE reason <> 'study-on-two-patients'
        OR NOT EXISTS (SELECT 1 FROM members m WHERE m.study_key = c.study_key AND m.class = 'g' AND m.disposition <> 'hold')
    UNION ALL
    -- without these no archive could keep the object apart, whether or not the checks have run
    SELECT f.study_key, 'critical-finding', 'an object without Study, Series or SOP Instance UID'
    FROM files f WHERE f.kind = 'instance'
        AND (coalesce(trim(f.study_uid), '') = '' OR coalesce(trim(f.series_uid), '') = '' OR coalesce(trim(f.sop_uid), '') = '')
    UNION ALL
    SELECT study_key, CASE WHEN class = 'g' THEN 'study-on-two-patients' WHEN class IN ('e', 'h', 'i', 'j') THEN 'study-twice'
            ELSE 'collision' END,
        concat('group ', group_id, ' of class ', class, CASE WHEN class = 'e'
            AND min(person_id) OVER (PARTITION BY group_id) <> max(person_id) OVER (PARTITION BY group_id)
            THEN ' (the same pixels under two patients)' END)
    FROM members WHERE disposition = 'hold'
    UNION ALL
    -- whether the object or the note is filed wrongly is for a person to say
    SELECT f.study_key, 'critical-finding', concat('a rejection note of another patient names the object ', g.entity)
    FROM gaps g JOIN files f ON f.source = g.source AND f.study_uid = g.study_uid AND f.sop_uid = g.entity
    WHERE g.kind = 'rejection-of-other-patient'
    UNION ALL
    -- what can't follow new UIDs keeps back all that would have to follow with it
    SELECT f.study_key, 'remap-refused', concat(r.cause, ' (', coalesce(r.reason, 'refused'), ')')
    FROM remaps r JOIN files f USING (source, location) WHERE r.state = 'refused'
    UNION ALL
    SELECT f.study_key, 'remap-refused', concat(r.cause, ' (', coalesce(r.reason, 'refused'), ')')
    FROM rewrites r JOIN files f USING (source, location) WHERE r.state = 'refused'
    UNION ALL
    SELECT study_key, 'remap-refused', concat('group ', group_id, ' (not planned: run link, or see what other decisions say)') FROM unlinked
    UNION ALL
    SELECT f.study_key, 'remap-refused', concat(c.rule, ' (not planned yet: run link)')
    FROM changes c JOIN files f USING (source, location) ANTI JOIN remaps r ON r.source = c.source AND r.location = c.location
        AND r.attribute = c.attribute
    WHERE c.state = 'approved' AND c.attribute IN ('StudyInstanceUID', 'SeriesInstanceUID', 'SOPInstanceUID')
    UNION ALL
    SELECT f.study_key, 'open-change', c.rule FROM changes c JOIN files f USING (source, location) WHERE c.state = 'proposed'
    UNION ALL
    -- deleted from the database, moved by a merge, or never registered: nobody could see it in the old archive
    SELECT f.study_key, 'orphan', concat(lower(d.level), ' ', coalesce(d.sop_uid, d.series_uid, d.study_uid), ' isn''t in ', d.index_source)
    FROM drift d JOIN files f ON f.source = d.source AND trim(f.study_uid) = d.study_uid WHERE d.kind = 'only-in-files' AND f.kind = 'instance'
    UNION ALL
    SELECT f.study_key, 'drift', c.rule FROM changes c JOIN files f USING (source, location)
    WHERE c.state = 'proposed' AND starts_with(c.rule, 'drift.')
    UNION ALL
    SELECT f.study_key, 'dangling-reference', coalesce(l.to_sop_uid, l.to_series_uid, l.to_study_uid, l.to_frame_of_reference_uid)
    FROM links l JOIN files f USING (source, location) WHERE l.state = 'dangling'
    UNION ALL
    -- an expectation that fails says so of the whole source; wherever a part of a study lies there, the study waits
    SELECT f.study_key, 'gate', concat(g.check_id, ' ', g.name, ' in suite ', g.suite, ': ', g.unexpected, ' of ', g.evaluated,
        ' rows of ', g.source, ' fail')
    FROM gates g JOIN (SELECT DISTINCT source, study_key FROM files WHERE kind = 'instance') f USING (source)
    WHERE g.stops = 'wave' AND NOT g.success
) WHERE study_key IS NOT NULL GROUP BY study_key, reason

-- Every file of the inventory with its study and record, and everything that holds a study. `study_key` is the study's
-- UID over all archives; an object without one stands for itself.
CREATE TEMP TABLE files AS
SELECT v.source, v.location, v.kind, u.reason AS unreadable, i.SOPInstanceUID AS sop_uid, i.StudyInstanceUID AS study_uid,
    i.SeriesInstanceUID AS series_uid, r.record_id, p.person_id, p.settled,
    CASE WHEN v.kind = 'instance' THEN coalesce(nullif(trim(i.StudyInstanceUID), ''), concat_ws('|', v.source, v.location)) END AS study_key
FROM inventory v
    -- plain keys only: a further condition here makes these nested loops
    LEFT JOIN instances i ON i.source = v.source AND i.location = v.location
    LEFT JOIN instance_records r ON r.source = v.source AND r.location = v.location
    LEFT JOIN persons p ON p.record_id = r.record_id
    LEFT JOIN unreadable u ON u.source = v.source AND u.location = v.location;
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
CREATE TEMP TABLE members AS
SELECT f.study_key, d.group_id, d.class, d.source, d.member, d.disposition, d.kept_source, d.kept_location
FROM duplicates d JOIN files f ON d.level = 'instance' AND f.source = d.source AND f.location = d.member
UNION ALL
SELECT d.member, d.group_id, d.class, d.source, d.member, d.disposition, d.kept_source, d.kept_location
FROM duplicates d WHERE d.level = 'study';
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
    SELECT study_key, CASE class WHEN 'g' THEN 'study-on-two-patients' ELSE 'collision' END,
        concat('group ', group_id, ' of class ', class)
    FROM members WHERE disposition = 'hold'
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

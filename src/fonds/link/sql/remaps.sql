-- References that follow new UIDs, and what can't be done. A unit is refused as a whole, with every unit that shares an
-- object with it. `sent` (source, location, marks) are objects the target has, with marks of the UIDs they were sent with.
CREATE TEMP VIEW left_behind AS
SELECT DISTINCT source, member AS location FROM duplicates WHERE level = 'instance' AND disposition = 'drop-copy';
CREATE TEMP TABLE movers AS FROM own SEMI JOIN identities USING (source, location) ANTI JOIN left_behind USING (source, location);
CREATE TEMP TABLE causes AS
SELECT DISTINCT unnest(units) AS unit, split_part(unit, chr(10), 1) AS cause FROM identities;
CREATE TEMP TABLE changing AS
SELECT DISTINCT level, uid, unnest(units) AS unit FROM (
    SELECT 'object' AS level, sop_uid AS uid, sop_units AS units FROM identities WHERE new_sop_uid IS DISTINCT FROM sop_uid
    UNION ALL
    SELECT 'series', series_uid, series_units FROM identities WHERE new_series_uid IS DISTINCT FROM series_uid
    UNION ALL
    SELECT 'study', study_uid, study_units FROM identities WHERE new_study_uid IS DISTINCT FROM study_uid
);
-- References that name a UID that changes for one of the objects that have it. What copies that stay behind and rejected
-- objects point to is nobody's concern; nor is what a rejection note takes back and is gone.
CREATE TEMP TABLE named AS
SELECT e.edge, c.unit FROM edges e JOIN changing c ON c.uid = e.to_sop_uid WHERE c.level = 'object'
UNION SELECT e.edge, c.unit FROM edges e JOIN changing c ON c.uid = e.to_series_uid WHERE c.level = 'series'
UNION SELECT e.edge, c.unit FROM edges e JOIN changing c ON c.uid = e.to_study_uid WHERE c.level = 'study';
CREATE TEMP TABLE concerned AS
SELECT a.edge, a.source, a.location, a.study_uid, a.level, a.uid, a.to_study_uid, a.to_series_uid, a.to_sop_uid,
    a.to_frame_of_reference_uid, a.state, a.names, a.resolved_source, a.resolved_location,
    l.location IS NOT NULL AS stays_behind,
    r.location IS NOT NULL OR (n.location IS NOT NULL AND a.state = 'dangling' AND a.relation IN ('evidence', 'content')) AS is_void
FROM answer a SEMI JOIN named USING (edge) LEFT JOIN left_behind l ON l.source = a.source AND l.location = a.location
    LEFT JOIN rejected r ON r.source = a.source AND r.location = a.location
    LEFT JOIN notes n ON n.source = a.source AND n.location = a.location;
-- Series and studies: all their objects must be called alike, or all of the pointing object's person.
CREATE TEMP TABLE parts AS
WITH asked AS (SELECT DISTINCT level, uid FROM concerned WHERE level IN ('series', 'study')),
files AS (
    SELECT a.level, a.uid, i.source, i.location, i.StudyInstanceUID AS study_uid, i.SeriesInstanceUID AS series_uid
    FROM instances i JOIN asked a ON a.level = 'series' AND a.uid = i.SeriesInstanceUID
    UNION ALL
    SELECT a.level, a.uid, i.source, i.location, i.StudyInstanceUID, i.SeriesInstanceUID
    FROM instances i JOIN asked a ON a.level = 'study' AND a.uid = i.StudyInstanceUID
)
SELECT DISTINCT f.level, f.uid, f.study_uid, o.owner, l.location IS NULL AS goes,
    coalesce(n.new_study_uid, f.study_uid) AS new_study_uid,
    CASE WHEN f.level = 'series' THEN coalesce(n.new_series_uid, f.series_uid) END AS new_series_uid, coalesce(n.units, []) AS units
FROM files f LEFT JOIN identities n ON n.source = f.source AND n.location = f.location
    LEFT JOIN owned o ON o.source = f.source AND o.location = f.location
    LEFT JOIN left_behind l ON l.source = f.source AND l.location = f.location;
CREATE TEMP TABLE followed AS
WITH objects AS (
    SELECT c.*, coalesce(n.new_study_uid, i.study_uid) AS new_study_uid, coalesce(n.new_series_uid, i.series_uid) AS new_series_uid,
        coalesce(n.new_sop_uid, i.sop_uid) AS new_sop_uid,
        flatten([CASE WHEN c.to_study_uid IS NOT NULL AND n.new_study_uid IS DISTINCT FROM n.study_uid THEN n.study_units ELSE [] END,
            CASE WHEN c.to_series_uid IS NOT NULL AND n.new_series_uid IS DISTINCT FROM n.series_uid THEN n.series_units ELSE [] END,
            CASE WHEN n.new_sop_uid IS DISTINCT FROM n.sop_uid THEN n.sop_units ELSE [] END]) AS units
    FROM concerned c LEFT JOIN involved i ON i.source = c.resolved_source AND i.location = c.resolved_location
        LEFT JOIN identities n ON n.source = c.resolved_source AND n.location = c.resolved_location
    WHERE c.level = 'object'
), best AS (
    SELECT c.edge, p.new_study_uid, p.new_series_uid, p.units
    FROM concerned c JOIN parts p ON p.level = c.level AND p.uid = c.uid
        LEFT JOIN owned o ON o.source = c.source AND o.location = c.location
    QUALIFY rank() OVER (PARTITION BY c.edge ORDER BY (p.study_uid IS NOT DISTINCT FROM c.to_study_uid)::INT DESC, p.goes DESC,
        (p.owner = o.owner)::INT DESC NULLS LAST) = 1
), wholes AS (
    SELECT edge, min(new_study_uid) AS new_study_uid, min(new_series_uid) AS new_series_uid, list_distinct(flatten(list(units))) AS units,
        count(DISTINCT concat_ws('|', new_study_uid, new_series_uid)) AS names
    FROM best GROUP BY edge
), all_of_them AS (
    SELECT * EXCLUDE (units), units FROM objects
    UNION ALL BY NAME
    SELECT c.* EXCLUDE (names), w.names, w.new_study_uid, w.new_series_uid, NULL::VARCHAR AS new_sop_uid, w.units
    FROM concerned c LEFT JOIN wholes w USING (edge) WHERE c.level IN ('series', 'study')
)
SELECT * REPLACE (CASE WHEN to_study_uid IS NOT NULL THEN new_study_uid END AS new_study_uid,
        CASE WHEN to_series_uid IS NOT NULL THEN new_series_uid END AS new_series_uid,
        CASE WHEN to_sop_uid IS NOT NULL THEN new_sop_uid END AS new_sop_uid),
    state <> 'dangling' AND names = 1 AND (to_study_uid, to_series_uid, to_sop_uid) IS NOT DISTINCT FROM
        (CASE WHEN to_study_uid IS NOT NULL THEN new_study_uid END, CASE WHEN to_series_uid IS NOT NULL THEN new_series_uid END,
         CASE WHEN to_sop_uid IS NOT NULL THEN new_sop_uid END) AS stays
FROM all_of_them;
-- The references of objects that go which have to change
CREATE TEMP TABLE rewritten AS
WITH asked AS (
    SELECT edge, list(unit) AS units FROM named GROUP BY edge
)
SELECT source, location, to_study_uid, to_series_uid, to_sop_uid, to_frame_of_reference_uid,
    min(new_study_uid) AS new_study_uid, min(new_series_uid) AS new_series_uid, min(new_sop_uid) AS new_sop_uid,
    bool_or(state = 'dangling') AS dangles, count(DISTINCT concat_ws('|', new_study_uid, new_series_uid, new_sop_uid)) > 1 OR max(names) > 1 AS ambiguous,
    bool_and(is_void) AS is_void, list_sort(list_distinct(flatten(list(
        CASE WHEN state <> 'dangling' AND names = 1 AND len(f.units) > 0 THEN f.units ELSE a.units END)))) AS units
FROM followed f JOIN asked a USING (edge) WHERE NOT stays AND NOT stays_behind
GROUP BY source, location, to_study_uid, to_series_uid, to_sop_uid, to_frame_of_reference_uid;
CREATE TEMP TABLE attributes_changed AS
SELECT m.source, m.location, m.study_uid, unnest([
    {'attribute': 'StudyInstanceUID', 'path': '(0020,000D)', 'before': m.study_uid, 'after': m.new_study_uid, 'cause': study_cause, 'class': study_class},
    {'attribute': 'SeriesInstanceUID', 'path': '(0020,000E)', 'before': m.series_uid, 'after': m.new_series_uid, 'cause': series_cause, 'class': series_class},
    {'attribute': 'SOPInstanceUID', 'path': '(0008,0018)', 'before': m.sop_uid, 'after': m.new_sop_uid, 'cause': sop_cause, 'class': sop_class}
    ], recursive := true), n.units
FROM movers m JOIN identities n USING (source, location);
DELETE FROM attributes_changed WHERE "before" IS NOT DISTINCT FROM after;
-- Why a unit can't be planned
CREATE TEMP TABLE refusals AS
WITH elsewhere AS (
    -- one UID for all objects that had one, unless duplicates tell them apart
    SELECT 'study' AS level, i.StudyInstanceUID AS uid, coalesce(m.study_class, '') AS class,
        coalesce(m.new_study_uid, i.StudyInstanceUID) AS after, [m.study_rule || chr(10) || i.StudyInstanceUID] AS units, i.source, i.location
    FROM instances i LEFT JOIN movers m ON m.source = i.source AND m.location = i.location
    WHERE i.StudyInstanceUID IN (SELECT study_uid FROM movers WHERE of_study)
    UNION ALL
    SELECT 'series', concat_ws(' of study ', i.SeriesInstanceUID, i.StudyInstanceUID), coalesce(m.series_class, ''),
        coalesce(m.new_series_uid, i.SeriesInstanceUID), [m.series_rule || chr(10) || i.StudyInstanceUID], i.source, i.location
    FROM instances i LEFT JOIN movers m ON m.source = i.source AND m.location = i.location
    WHERE i.SeriesInstanceUID IN (SELECT series_uid FROM movers WHERE of_series)
    UNION ALL
    SELECT 'object', i.SOPInstanceUID, coalesce(m.sop_class, ''), coalesce(m.new_sop_uid, i.SOPInstanceUID),
        [m.sop_rule || chr(10) || i.StudyInstanceUID], i.source, i.location
    FROM instances i LEFT JOIN movers m ON m.source = i.source AND m.location = i.location
    WHERE i.SOPInstanceUID IN (SELECT sop_uid FROM movers WHERE of_sop)
), split AS (
    SELECT level, uid, flatten(list(units)) AS units FROM elsewhere ANTI JOIN left_behind USING (source, location) WHERE class = ''
    GROUP BY level, uid HAVING count(DISTINCT after) > 1
), taken_uids AS (
    SELECT after AS uid, units, "before" FROM attributes_changed WHERE attribute = 'SOPInstanceUID'
    UNION ALL
    SELECT i.SOPInstanceUID, [], i.SOPInstanceUID FROM instances i
        SEMI JOIN (SELECT after FROM attributes_changed WHERE attribute = 'SOPInstanceUID') a ON a.after = i.SOPInstanceUID
        ANTI JOIN left_behind b ON b.source = i.source AND b.location = i.location
        ANTI JOIN (SELECT source, location FROM attributes_changed WHERE attribute = 'SOPInstanceUID') c ON c.source = i.source AND c.location = i.location
), twice AS (
    SELECT uid, flatten(list(units)) AS units FROM taken_uids GROUP BY uid HAVING count(DISTINCT "before") > 1
), copies AS (
    -- equal copies of a pointing object that mean different objects: only one of them goes
    SELECT b.source, b.location, b.uid, list_concat(b.units, k.units) AS units
    FROM followed b JOIN duplicates d ON d.source = b.source AND d.member = b.location
        JOIN followed k ON k.source = d.kept_source AND k.location = d.kept_location AND k.level = b.level AND k.uid = b.uid
    WHERE b.stays_behind AND d.disposition = 'drop-copy' AND d.class IN ('a', 'b', 'c')
        AND (b.to_study_uid, b.to_series_uid, b.to_sop_uid) IS NOT DISTINCT FROM (k.to_study_uid, k.to_series_uid, k.to_sop_uid)
        AND (b.new_study_uid, b.new_series_uid, b.new_sop_uid) IS DISTINCT FROM (k.new_study_uid, k.new_series_uid, k.new_sop_uid)
), touched AS (
    SELECT source, location, units, remap_mark(path, "before", after) AS mark FROM attributes_changed
    UNION ALL
    SELECT source, location, units, rewrite_mark(to_study_uid, to_series_uid, to_sop_uid, to_frame_of_reference_uid, new_study_uid, new_series_uid, new_sop_uid)
    FROM rewritten WHERE NOT dangles AND NOT ambiguous AND NOT is_void
), found AS (
    SELECT 1 AS rank, 'dangling' AS reason, units, concat('an object in ', source, ' (', location, ') points to the ',
        CASE WHEN to_sop_uid IS NOT NULL THEN concat('object ', to_sop_uid) WHEN to_series_uid IS NOT NULL THEN concat('series ', to_series_uid)
            ELSE concat('study ', to_study_uid) END, ', which no archive holds') AS detail
    FROM rewritten WHERE dangles AND NOT is_void
    UNION ALL
    SELECT 2, 'ambiguous', units, concat('an object in ', source, ' (', location, ') points to ',
        CASE WHEN to_sop_uid IS NOT NULL THEN concat('the object ', to_sop_uid) WHEN to_series_uid IS NOT NULL THEN concat('the series ', to_series_uid)
            ELSE concat('the study ', to_study_uid) END, ', and which one it means can''t be told')
    FROM rewritten WHERE ambiguous AND NOT dangles AND NOT is_void
    UNION ALL
    SELECT 2, 'ambiguous', units, concat('the copy in ', source, ' (', location, ') of an object means another object ', uid, ' than the copy that goes')
    FROM copies
    UNION ALL
    SELECT 3, 'already-sent', t.units, concat('the object in ', source, ' (', location, ') is at the target already, under the UIDs it had')
    FROM touched t JOIN sent USING (source, location) WHERE NOT list_contains(sent.marks, t.mark)
    UNION ALL
    SELECT 4, 'collision', units, concat('two objects would get the SOP Instance UID ', uid) FROM twice
    UNION ALL
    SELECT 5, 'incoherent', units, concat('the change would divide the ', level, ' ', uid) FROM split
    UNION ALL
    SELECT 6, 'invalid', units, concat('the new ', attribute, ' of the object in ', source, ' (', location, ') is no UID')
    FROM attributes_changed WHERE length(coalesce(after, '')) > 64 OR NOT regexp_full_match(coalesce(after, ''), '[0-2](\.(0|[1-9][0-9]*))+')
    UNION ALL
    SELECT 7, 'unreadable', t.units, concat('the object in ', source, ' (', location, ') isn''t in the transfer syntax it claims and can''t be changed')
    FROM touched t JOIN instances i USING (source, location) WHERE contains(i.read_note, 'syntax_mismatch')
)
SELECT unnest(units) AS unit, rank, reason, detail FROM found;
DELETE FROM refusals WHERE unit IS NULL

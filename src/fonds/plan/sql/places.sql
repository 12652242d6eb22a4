-- Each file's place. `chosen` (study_key, wave, wave_number, switched_off) says which wave takes a study; `reasons`
-- (reason, priority, means, advice) is the table of docs/waves.md.
CREATE TEMP TABLE study_holds AS
WITH standing AS (
    SELECT h.study_key, h.reason, h.subjects FROM holds h LEFT JOIN chosen c USING (study_key)
    WHERE NOT list_contains(coalesce(c.switched_off, []), h.reason)
    UNION ALL
    SELECT DISTINCT f.study_key, 'no-wave', []::VARCHAR[] FROM files f ANTI JOIN chosen c USING (study_key)
    WHERE f.study_key IS NOT NULL
)
SELECT study_key, arg_min(reason, priority) AS reason,
    string_agg(concat(means, CASE WHEN len(subjects) > 0 THEN concat(': ', array_to_string(subjects[:4], ', '),
        CASE WHEN len(subjects) > 4 THEN concat(' and ', len(subjects) - 4, ' more') ELSE '' END) ELSE '' END, '; ', advice),
        '. ' ORDER BY priority) AS detail
FROM standing JOIN reasons USING (reason) GROUP BY study_key;
-- What rejection notes take back, but for waves that take such objects along; the gap names its UID, or where it lies.
CREATE TEMP TABLE taken_back AS
SELECT f.source, f.location, f.study_key, g.message FROM gaps g JOIN files f ON f.source = g.source AND f.study_uid = g.study_uid
    AND f.sop_uid = g.entity LEFT JOIN chosen c ON c.study_key = f.study_key
WHERE g.kind = 'rejected-object' AND NOT coalesce(c.rejected_objects, false)
UNION
SELECT f.source, f.location, f.study_key, g.message FROM gaps g JOIN files f ON f.source = g.source AND f.location = g.entity
    LEFT JOIN chosen c ON c.study_key = f.study_key
WHERE g.kind = 'rejected-object' AND NOT coalesce(c.rejected_objects, false);
-- What doesn't go by itself, whatever becomes of its study
CREATE TEMP TABLE out_by_itself AS
SELECT source, location, arg_min(reason, rank) AS reason, arg_min(detail, rank) AS detail FROM (
    SELECT source, location, 'index-file' AS reason, 0 AS rank, 'an index of the medium, no object; the archive makes its own' AS detail
    FROM files WHERE kind = 'index'
    UNION ALL
    SELECT source, location, 'not-dicom', 0, 'nothing like DICOM in this file; look whether it is wanted elsewhere'
    FROM files WHERE kind = 'unreadable' AND unreadable = 'not_dicom'
    UNION ALL
    SELECT source, member, 'duplicate-copy', 1,
        concat('copy of an object kept in ', coalesce(kept_source, 'another place'), ' (group ', group_id, ', class ', class, ')')
    FROM members WHERE level = 'instance' AND disposition = 'drop-copy'
    UNION ALL
    -- a wave that doesn't heed collisions takes the kept copy
    SELECT m.source, m.member, 'duplicate-copy', 2,
        concat('its wave takes the kept copy of collisions, which lies in ', m.kept_source, ' (group ', m.group_id, ', class ', m.class, ')')
    FROM members m JOIN chosen c USING (study_key)
    WHERE m.disposition = 'hold' AND m.class IN ('a', 'b', 'c', 'd', 'f') AND list_contains(c.switched_off, 'collision')
        AND NOT (m.source = m.kept_source AND m.member = m.kept_location)
    UNION ALL
    SELECT source, location, 'rejected-object', 3, message FROM taken_back
) GROUP BY source, location;
-- A rejection note goes with an object it takes back; it says nothing where none of them goes.
CREATE TEMP TABLE left_out AS
WITH notes AS (
    SELECT DISTINCT source, location, to_sop_uid FROM links WHERE rejects
), stays AS (
    SELECT n.source, n.location FROM notes n LEFT JOIN files f ON f.sop_uid = n.to_sop_uid AND f.kind = 'instance'
        LEFT JOIN out_by_itself o ON o.source = f.source AND o.location = f.location
    GROUP BY n.source, n.location HAVING count(*) FILTER (f.location IS NOT NULL AND o.location IS NULL) = 0
)
FROM out_by_itself
UNION ALL
SELECT source, location, 'rejection-note', 'a rejection note, all of whose objects stay behind'
FROM stays ANTI JOIN out_by_itself USING (source, location);
-- The last guard: no object may be sent over another. What would be two objects of one UID at the target holds its studies.
CREATE TEMP TABLE going AS
SELECT f.source, f.location, f.study_key, f.target_uid AS sop_uid FROM files f
    ANTI JOIN study_holds h USING (study_key) ANTI JOIN left_out o USING (source, location) WHERE f.kind = 'instance';
CREATE TEMP TABLE clashing AS
WITH twice AS (SELECT sop_uid FROM going GROUP BY sop_uid HAVING count(*) > 1)
SELECT study_key, list_sort(list(DISTINCT sop_uid)) AS subjects FROM going SEMI JOIN twice USING (sop_uid) GROUP BY study_key;
CREATE TEMP TABLE answers AS
FROM study_holds
UNION ALL
SELECT study_key, 'collision', concat('several objects to be kept have one SOP Instance UID: ', array_to_string(subjects[:4], ', '),
    '; only one of them can go, decide at the desk which') FROM clashing;
CREATE TEMP TABLE ranked AS
WITH rows AS (SELECT * FROM ordered ANTI JOIN answers USING (study_key) SEMI JOIN going USING (study_key))
SELECT study_key, row_number() OVER (PARTITION BY wave ORDER BY place, study_key) AS sequence FROM rows;
CREATE TEMP TABLE answer AS
SELECT f.source, f.location, f.sop_uid, f.study_uid, f.person_id,
    CASE WHEN o.reason IS NOT NULL THEN 'excluded' WHEN f.kind <> 'instance' OR a.reason IS NOT NULL THEN 'held' ELSE 'planned' END AS state,
    CASE WHEN o.reason IS NOT NULL THEN o.reason WHEN f.kind <> 'instance' THEN 'unreadable' ELSE a.reason END AS reason,
    CASE WHEN o.reason IS NOT NULL THEN o.detail
         WHEN f.kind <> 'instance' THEN concat('can''t be read (', f.unreadable, '); look for another copy, or mend the file and crawl again')
         ELSE a.detail END AS detail,
    CASE WHEN o.reason IS NULL AND a.reason IS NULL AND f.kind = 'instance' THEN c.wave END AS wave,
    CASE WHEN o.reason IS NULL AND a.reason IS NULL AND f.kind = 'instance' THEN r.sequence END AS sequence
FROM files f LEFT JOIN left_out o USING (source, location) LEFT JOIN answers a USING (study_key)
    LEFT JOIN chosen c USING (study_key) LEFT JOIN ranked r USING (study_key)

-- Every planned object with what is to be written into it and its last receipt, in the plan's order. Objects are known by
-- the UIDs they get at the target. `taken`: another file goes or went under the same one, and a target that got both would
-- keep either of them.
WITH standing AS (
    SELECT source, location,
        list({'path': path, 'before': before, 'after': after, 'reason': reason, 'rule': rule} ORDER BY path) AS changes
    FROM standing_changes GROUP BY ALL),
renamed AS (
    SELECT source, location, max(after) FILTER (attribute = 'StudyInstanceUID') AS study_uid,
        max(after) FILTER (attribute = 'SeriesInstanceUID') AS series_uid,
        max(after) FILTER (attribute = 'SOPInstanceUID') AS sop_uid
    FROM remaps WHERE state = 'planned' GROUP BY ALL),
planned AS (
    SELECT p.source, p.location, coalesce(m.sop_uid, p.sop_uid, '') AS sop_uid, coalesce(m.study_uid, p.study_uid, '') AS study_uid,
        p.wave, p.sequence, coalesce(m.series_uid, i.SeriesInstanceUID, '') AS series_uid, coalesce(i.SOPClassUID, '') AS sop_class_uid,
        i.transfer_syntax, i.size, i.mtime_ns, i.digest_object, i.digest_pixels, i.pixel_length, a.changes, u.marks AS uids,
        sha256(concat_ws('|', i.size, i.mtime_ns, to_json(a.changes), $target)) AS basis
    FROM plan p JOIN instances i USING (source, location) LEFT JOIN standing a USING (source, location)
        LEFT JOIN renamed m USING (source, location) LEFT JOIN uid_marks u USING (source, location)
    WHERE p.state = 'planned'),
there AS (
    SELECT source, location, sop_uid FROM latest WHERE state IN ('sending', 'sent', 'verified')
        OR (state = 'failed' AND target_key IS NOT NULL AND reason <> 'missing-at-target')),
going AS (FROM there UNION SELECT source, location, sop_uid FROM planned),
twice AS (SELECT sop_uid FROM going WHERE sop_uid <> '' GROUP BY sop_uid HAVING count(*) > 1)
SELECT p.*, j.state, j.reason, j.basis AS last_basis, j.coerced_at, coalesce(j.attempt, 0) AS attempt,
    p.sop_uid IN (FROM twice) AS taken
FROM planned p LEFT JOIN latest j USING (source, location) LEFT JOIN waves w ON w.wave = p.wave
ORDER BY w.position NULLS LAST, p.wave, p.sequence, p.study_uid, p.source, p.location

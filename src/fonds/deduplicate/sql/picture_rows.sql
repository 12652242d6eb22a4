-- Classes e and j: other SOP Instance UIDs. `slot` are those of a group of which one is enough.
CREATE TEMP TABLE picture_members AS
WITH copied AS (
    SELECT 'D' || left(sha256(concat_ws('|', 'j', r.signature)), 16) AS group_id, 'j' AS class, r.pixel_key AS slot, r.source, r.location,
        concat('all pixels of ', count(DISTINCT r.study_uid) OVER (PARTITION BY r.signature), ' studies agree one to one',
            '; names the UID it had in ' || n.attribute) AS evidence
    FROM retrieved r LEFT JOIN by_name n ON n.source = r.source AND n.location = r.location
), objects AS (
    SELECT n.original, n.source, n.location, concat('names the UID it had in ', n.attribute, '; ', n.how) AS evidence
    FROM by_name n ANTI JOIN retrieved r ON r.source = n.source AND r.location = n.location
), originals AS (
    SELECT o.original, i.source, i.location, concat('the object that ', any_value(o.objects), CASE WHEN any_value(o.objects) > 1 THEN ' others name' ELSE ' other names' END) AS evidence
    FROM (SELECT original, count(*) AS objects FROM objects GROUP BY original) o JOIN instances i ON i.SOPInstanceUID = o.original
    GROUP BY o.original, i.source, i.location
), named_rows AS (
    SELECT 'D' || left(sha256(concat_ws('|', 'j', 'sop', original)), 16) AS group_id, 'j' AS class, original AS slot, source, location, evidence
    FROM (FROM objects UNION ALL FROM originals)
), rest AS (
    SELECT t.* FROM telling t ANTI JOIN retrieved r ON r.source = t.source AND r.location = t.location
        ANTI JOIN named_rows n ON n.source = t.source AND n.location = t.location
)
SELECT 'D' || left(sha256(concat_ws('|', 'e', t.pixel_key)), 16) AS group_id, 'e' AS class, t.pixel_key AS slot, r.source, r.location,
    concat('same pixels under ', t.uids, ' SOP Instance UIDs') AS evidence
FROM rest r JOIN (SELECT pixel_key, count(DISTINCT sop_uid) AS uids FROM telling GROUP BY pixel_key) t USING (pixel_key)
UNION ALL FROM copied
UNION ALL FROM named_rows;
CREATE TEMP TABLE picture_rows AS
WITH whose AS (
    SELECT m.source, m.location, p.person_id FROM (SELECT DISTINCT source, location FROM picture_members) m
        JOIN instance_records r ON r.source = m.source AND r.location = m.location JOIN persons p ON p.record_id = r.record_id
), told AS (
    SELECT m.*, d.SOPInstanceUID AS sop_uid, d.StudyInstanceUID AS study_uid, d.SeriesInstanceUID AS series_uid, d.size, d.filled, d.mtime_ns,
        (d.read_status = 'partial')::INT AS incomplete, (coalesce(y.form, 'coded') = 'lossy' OR coalesce(d.LossyImageCompression = '01', false))::INT AS lossy,
        (coalesce(y.form, 'coded') NOT IN ('little', 'big'))::INT AS compressed, coalesce(o.position, 1000000) AS position,
        coalesce(try_cast(rpad(left(regexp_replace(d.coercion, '[^0-9].*$', ''), 14), 14, '0') AS DOUBLE), 0) AS coerced,
        coalesce(d.HasOriginalAttributes, false)::INT AS original_attributes, instant(d.ContentDate, d.ContentTime) AS content_time,
        coalesce(nullif(instant(left(d.AcquisitionDateTime, 8), substr(d.AcquisitionDateTime, 9, 6)), 0), instant(d.AcquisitionDate, d.AcquisitionTime)) AS acquisition_time,
        -- one that names the UID it had isn't the original
        (m.evidence LIKE '%names the UID it had in %')::INT AS named,
        coalesce(w.person_id, CASE WHEN trim(d.PatientID) <> '' THEN concat_ws('|', coalesce(nullif(trim(d.IssuerOfPatientID), ''), o.issuer, ''), trim(d.PatientID)) END) AS person
    FROM picture_members m JOIN described d ON d.source = m.source AND d.location = m.location
        LEFT JOIN syntaxes y ON y.transfer_syntax = d.transfer_syntax LEFT JOIN sources o ON o.source = d.source
        LEFT JOIN whose w ON w.source = m.source AND w.location = m.location
), firsts AS (
    SELECT group_id, arg_min(source, position) AS first, count(DISTINCT person) AS persons FROM told GROUP BY group_id
), ranked AS (
    SELECT t.*, f.persons, p.keep FROM told t JOIN firsts f USING (group_id)
        JOIN (SELECT class, coalesce(source, '') AS source, keep FROM policy) p
            ON p.class = t.class AND p.source = CASE WHEN f.first IN (SELECT source FROM policy) THEN f.first ELSE '' END
), scored AS (
    SELECT *, {ranking} AS ranks, {reasons} AS reasons FROM ranked
), studies AS (
    -- of studies that are copies of one another one stays as a whole: the one whose worst object is best
    SELECT group_id, study_uid, max(ranks) AS worst FROM scored GROUP BY group_id, study_uid
), ordered AS (
    SELECT s.*, row_number() OVER (PARTITION BY s.group_id, s.slot ORDER BY t.worst, s.study_uid, s.ranks, s.position, s.source, s.location) AS number
    FROM scored s JOIN studies t ON t.group_id = s.group_id AND t.study_uid IS NOT DISTINCT FROM s.study_uid
)
SELECT c.group_id, c.class, 'instance' AS level, c.source, c.location AS member, c.sop_uid, c.study_uid,
    CASE WHEN c.evidence LIKE '%not comparable%' OR c.evidence LIKE '%; no pixels%' THEN NULL
        ELSE dense_rank() OVER (PARTITION BY c.group_id ORDER BY c.slot) END AS content,
    list_filter(['SOPInstanceUID', CASE WHEN c.series_uid IS DISTINCT FROM k.series_uid THEN 'SeriesInstanceUID' END,
        CASE WHEN c.study_uid IS DISTINCT FROM k.study_uid THEN 'StudyInstanceUID' END], lambda word: word IS NOT NULL AND c.sop_uid <> k.sop_uid) AS differs,
    concat(c.evidence, CASE WHEN c.persons > 1 THEN concat('; of ', c.persons, ' persons') END) AS evidence,
    coalesce(c.reasons[list_position(list_transform(range(1, len(c.ranks) + 1), lambda n: c.ranks[n] IS DISTINCT FROM k.ranks[n]), true)],
        'location') AS why,
    k.source AS kept_source, k.location AS kept_location, c.slot, c.persons, c.number
FROM ordered c JOIN ordered k ON k.group_id = c.group_id AND k.slot = c.slot AND k.number = 1

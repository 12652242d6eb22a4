-- Objects that name the SOP Instance UID they had: `uid_columns` (source, location, sop_uid, original, attribute), and
-- `told_former` (source, location, uids, opened) from Original Attributes Sequence. Only what the catalog holds counts.
CREATE TEMP TABLE named AS
WITH told AS (
    FROM uid_columns
    UNION ALL BY NAME
    SELECT t.source, t.location, i.SOPInstanceUID AS sop_uid, t.original, 'OriginalAttributesSequence' AS attribute
    FROM (SELECT source, location, unnest(string_split(uids, ' ')) AS original FROM told_former WHERE uids <> '') t
        JOIN instances i ON i.source = t.source AND i.location = t.location
    WHERE t.original <> i.SOPInstanceUID
), held AS (
    SELECT source, location, SOPInstanceUID AS original, SOPClassUID, StudyInstanceUID AS study_uid, pixel_length,
        concat_ws('|', "Rows", "Columns", coalesce(nullif(NumberOfFrames, ''), '1'), coalesce(SamplesPerPixel, '1')) AS shape
    FROM instances SEMI JOIN told ON told.original = SOPInstanceUID
)
SELECT t.source, t.location, t.sop_uid, c.StudyInstanceUID AS study_uid, t.attribute, o.source AS from_source,
    o.location AS from_location, t.original, o.study_uid AS from_study
FROM told t JOIN instances c ON c.source = t.source AND c.location = t.location JOIN held o ON o.original = t.original
WHERE o.shape = concat_ws('|', c."Rows", c."Columns", coalesce(nullif(c.NumberOfFrames, ''), '1'), coalesce(c.SamplesPerPixel, '1'))
    AND (o.pixel_length IS NULL) = (c.pixel_length IS NULL) AND (o.pixel_length IS NOT NULL OR o.SOPClassUID = c.SOPClassUID);
-- What is to be decoded, once for the same bytes: images alike by the catalog, or by name, whose bytes differ.
CREATE TEMP TABLE stored_images AS
WITH several AS (
    SELECT source, location, 'alike|' || alike AS key FROM alike_objects WHERE unsettled AND form <> 'lossy'
    UNION
    SELECT unnest([source, from_source]), unnest([location, from_location]), concat('named|', original) FROM named
), read AS (
    SELECT v.key, s.source, s.location, s.sop_uid, s.form, s.transfer_syntax,
        concat_ws('|', s.form, coalesce(s.digest_pixels, m.digest_pixels)) AS stored
    FROM several v JOIN seen s ON s.source = v.source AND s.location = v.location
        LEFT JOIN measured m ON m.source = s.source AND m.location = s.location
    WHERE s.form <> 'lossy' AND coalesce(s.digest_pixels, m.digest_pixels) IS NOT NULL
), unlike AS (
    SELECT key FROM read GROUP BY key
    HAVING min(sop_uid) <> max(sop_uid) AND min(stored) <> max(stored) AND min(transfer_syntax) <> max(transfer_syntax)
)
SELECT DISTINCT ON (stored) stored, source, location FROM read SEMI JOIN unlike USING (key) ORDER BY stored, source, location

-- Files that share a SOP Instance UID. Narrow columns only: the attributes are joined later, for the pairs that need
-- them. `measured` (source, location, digest_object, digest_header, digest_pixels) are digests the crawl didn't make.
CREATE TEMP TABLE copies AS
WITH told AS (
    SELECT d.SOPInstanceUID AS sop_uid, d.source, d.location, d.StudyInstanceUID AS study_uid, d.SeriesInstanceUID AS series_uid,
        d.SOPClassUID AS sop_class_uid, d.transfer_syntax, d.size, d.mtime_ns, d.pixel_length, d.attributes_hash, d.filled,
        coalesce(d.digest_object, m.digest_object) AS digest_object, coalesce(d.digest_header, m.digest_header) AS digest_header,
        coalesce(d.digest_pixels, m.digest_pixels) AS digest_pixels,
        CASE WHEN d.pixel_length IS NULL THEN 'none' ELSE coalesce(y.form, 'coded') END AS form,
        concat_ws('|', d.pixel_length, d.BitsAllocated, d.HighBit) AS shape,
        concat_ws('|', d."Rows", d."Columns", d.NumberOfFrames, d.SamplesPerPixel, d.BitsAllocated, d.BitsStored, d.HighBit,
            d.PixelRepresentation, d.PhotometricInterpretation) AS reading,
        coalesce(try_cast(d.SamplesPerPixel AS INTEGER), 1) AS samples,
        (d.read_status = 'partial')::INT AS incomplete,
        coalesce(try_cast(rpad(left(regexp_replace(d.coercion, '[^0-9].*$', ''), 14), 14, '0') AS DOUBLE), 0) AS coerced,
        coalesce(d.HasOriginalAttributes, false)::INT AS original_attributes,
        instant(d.ContentDate, d.ContentTime) AS content_time,
        coalesce(nullif(instant(left(d.AcquisitionDateTime, 8), substr(d.AcquisitionDateTime, 9, 6)), 0),
            instant(d.AcquisitionDate, d.AcquisitionTime)) AS acquisition_time,
        d.LossyImageCompression = '01' AS once_lossy, coalesce(o.position, 1000000) AS position
    FROM described d JOIN repeated r ON r.sop_uid = d.SOPInstanceUID
        LEFT JOIN measured m ON m.source = d.source AND m.location = d.location
        LEFT JOIN syntaxes y ON y.transfer_syntax = d.transfer_syntax LEFT JOIN sources o ON o.source = d.source
)
SELECT *, (form = 'lossy' OR coalesce(once_lossy, false))::INT AS lossy, (form NOT IN ('little', 'big', 'none'))::INT AS compressed,
    -- what the stored bytes say: equal where the content is equal for certain. Objects of text only have no content beside
    -- their attributes.
    CASE WHEN form = 'none' THEN CASE WHEN regexp_matches(sop_class_uid, '^1\.2\.840\.10008\.5\.1\.4\.1\.1\.(88|481)\.') THEN 'text'
            ELSE coalesce('header|' || digest_header, concat_ws('|', 'file', source, location)) END
         ELSE coalesce(concat_ws('|', CASE form WHEN 'lossy' THEN 'coded' ELSE form END, digest_pixels),
            concat_ws('|', 'file', source, location)) END AS stored
FROM (SELECT * REPLACE (CASE WHEN digest_pixels IS NULL AND form <> 'none' THEN 'unread' ELSE form END AS form) FROM told);
-- The question a steward answers is about these contents: the group's name follows from the UID and what is stored
-- under it, so that a further copy of other content is a new question and no old answer drops it.
CREATE TEMP TABLE copy_groups AS
SELECT sop_uid, 'D' || left(sha256(concat_ws('|', 'sop', sop_uid, array_to_string(list_sort(list(DISTINCT
    coalesce(digest_object, concat_ws('|', source, location)))), '|'))), 16) AS group_id,
    count(DISTINCT (coalesce(study_uid, ''), coalesce(series_uid, ''))) AS places, count(DISTINCT coalesce(study_uid, '')) AS studies
FROM copies GROUP BY sop_uid;
-- One file stands for all that hold the same bytes of content and say the same of how to read them.
CREATE TEMP TABLE stored_forms AS
SELECT sop_uid, stored, form, any_value(shape) AS shape, max(samples) AS samples,
    arg_min(source, (incomplete, position, source, location)) AS source, arg_min(location, (incomplete, position, source, location)) AS location
FROM copies GROUP BY sop_uid, stored, form, reading;
-- Those that may hold the same content though their bytes differ. Native little endian data of one length and one sample
-- a pixel is the same when it is the same bytes; what is coded with loss is never compared by what it decodes to.
CREATE TEMP TABLE undecided_forms AS
WITH several AS (
    SELECT sop_uid, form = 'none' AS documents FROM stored_forms WHERE form IN ('little', 'big', 'coded') OR (form = 'none' AND stored <> 'text')
    GROUP BY sop_uid, documents
    HAVING min(stored) <> max(stored) AND (documents OR count(DISTINCT form) > 1 OR bool_or(form = 'coded') OR count(DISTINCT shape) > 1 OR max(samples) > 1)
)
SELECT f.sop_uid, f.stored, f.source, f.location, CASE f.form WHEN 'none' THEN 'content' ELSE 'decoded' END AS what
FROM stored_forms f JOIN several s ON s.sop_uid = f.sop_uid AND s.documents = (f.form = 'none')
WHERE f.form IN ('little', 'big', 'coded') OR (f.form = 'none' AND f.stored <> 'text')

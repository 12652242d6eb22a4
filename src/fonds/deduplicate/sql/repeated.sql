-- Digits of a date and a time as one number, 0 where there is none.
CREATE TEMP MACRO instant(day, clock) AS coalesce(try_cast(CASE WHEN regexp_matches(day, '^[0-9]{8}$') THEN
    concat(day, rpad(left(regexp_replace(coalesce(clock, ''), '[^0-9].*$', ''), 6), 6, '0')) END AS DOUBLE), 0);
CREATE TEMP TABLE repeated AS
SELECT SOPInstanceUID AS sop_uid FROM instances WHERE trim(SOPInstanceUID) <> '' GROUP BY SOPInstanceUID HAVING count(*) > 1;
-- Objects with pixels, narrow. Images of one acquisition are alike when the catalog tells the same of them: UIDs, texts
-- and dates of the study are what a copy under new UIDs may have other ones of.
CREATE TEMP VIEW seen AS
SELECT i.source, i.location, i.SOPInstanceUID AS sop_uid, i.StudyInstanceUID AS study_uid, i.transfer_syntax,
    coalesce(y.form, 'coded') AS form, i.digest_pixels, i.pixel_length,
    concat_ws('|', i."Rows", i."Columns", coalesce(nullif(i.NumberOfFrames, ''), '1'), coalesce(i.SamplesPerPixel, '1')) AS shape,
    CASE WHEN coalesce(nullif(i.AcquisitionDateTime, ''), nullif(i.AcquisitionTime, ''), nullif(i.ContentTime, '')) IS NOT NULL AND i."Rows" <> ''
        THEN hash(i.Modality, i."Rows", i."Columns", coalesce(nullif(i.NumberOfFrames, ''), '1'), i.SamplesPerPixel, i.BitsStored, i.SeriesNumber,
            i.InstanceNumber, i.AcquisitionDateTime, i.AcquisitionDate, i.AcquisitionTime, i.ContentDate, i.ContentTime) END AS alike,
    coalesce(i.HasOriginalAttributes, false) AS changed_before
FROM instances i LEFT JOIN syntaxes y ON y.transfer_syntax = i.transfer_syntax
WHERE trim(i.SOPInstanceUID) <> '' AND i.pixel_length IS NOT NULL;
-- Groups of alike images under several UIDs that stored bytes don't settle: some aren't digested, or coded otherwise.
CREATE TEMP TABLE alike_groups AS
SELECT alike, count(*) AS objects,
    count(digest_pixels) < count(*) OR min(transfer_syntax) FILTER (form <> 'lossy') <> max(transfer_syntax) FILTER (form <> 'lossy') AS unsettled,
    bool_or(changed_before) AS changed_before
FROM seen WHERE alike IS NOT NULL GROUP BY alike
HAVING min(hash(sop_uid)) <> max(hash(sop_uid)) AND (unsettled OR changed_before);
CREATE TEMP TABLE alike_objects AS
SELECT s.*, g.unsettled FROM seen s JOIN alike_groups g USING (alike) WHERE g.objects <= getvariable('largest')

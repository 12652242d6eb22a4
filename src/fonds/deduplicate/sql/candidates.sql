-- Files that share a SOP Instance UID, each against the first of its group. Narrow columns only: the attributes are
-- joined later, for the pairs that need them.
CREATE TEMP TABLE copies AS
WITH repeated AS (
    SELECT SOPInstanceUID AS sop_uid,
        count(DISTINCT (coalesce(StudyInstanceUID, ''), coalesce(SeriesInstanceUID, ''))) AS places,
        count(DISTINCT coalesce(StudyInstanceUID, '')) AS studies
    FROM instances WHERE trim(SOPInstanceUID) <> '' GROUP BY SOPInstanceUID HAVING count(*) > 1
)
SELECT r.sop_uid, r.places, r.studies, i.source, i.location, i.StudyInstanceUID AS study_uid, i.transfer_syntax,
    i.digest_object, i.digest_header, i.digest_pixels, i.pixel_length,
    row_number() OVER (PARTITION BY r.sop_uid ORDER BY coalesce(o.position, 1000000), i.source, i.location) AS number
FROM instances i JOIN repeated r ON r.sop_uid = i.SOPInstanceUID LEFT JOIN sources o USING (source);
-- The question a steward answers is about these contents: the group's name follows from the UID and what is stored
-- under it, so that a further copy of other content is a new question and no old answer drops it.
CREATE TEMP TABLE copy_groups AS
SELECT sop_uid, 'D' || left(sha256(concat_ws('|', 'sop', sop_uid, array_to_string(list_sort(list(DISTINCT
    coalesce(digest_object, concat_ws('|', source, location)))), '|'))), 16) AS group_id
FROM copies GROUP BY sop_uid;
CREATE TEMP TABLE copy_pairs AS
SELECT c.sop_uid, k.source AS kept_source, k.location AS kept_location, c.source, c.location,
    k.transfer_syntax AS kept_syntax, c.transfer_syntax AS syntax,
    coalesce(c.digest_object = k.digest_object, false) AS same_object,
    coalesce(c.digest_header = k.digest_header, false) AS same_header,
    c.transfer_syntax IS NOT DISTINCT FROM k.transfer_syntax AS same_syntax,
    CASE WHEN c.pixel_length IS NULL AND k.pixel_length IS NULL THEN 'none'
         WHEN c.pixel_length IS NULL OR k.pixel_length IS NULL THEN 'other'
         WHEN c.digest_pixels = k.digest_pixels THEN 'same'
         WHEN c.digest_pixels IS NULL OR k.digest_pixels IS NULL THEN 'unknown'
         WHEN c.transfer_syntax IS DISTINCT FROM k.transfer_syntax THEN 'unknown'
         ELSE 'other' END AS pixels
FROM copies c JOIN copies k ON k.sop_uid = c.sop_uid AND k.number = 1
WHERE c.number > 1

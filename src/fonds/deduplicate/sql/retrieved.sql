-- Class j by study: one whose images equal those of another study one to one was retrieved under new UIDs. `told_blank`
-- (source, location, blank, opened): what shows one value only says nothing.
CREATE TEMP TABLE telling AS
SELECT t.* FROM twins t ANTI JOIN (
    SELECT o.pixel_key FROM shown_once o JOIN told_blank b USING (source, location) WHERE b.blank = 'yes'
) n USING (pixel_key);
CREATE TEMP TABLE retrieved AS
WITH concerned AS (SELECT DISTINCT study_uid FROM telling WHERE trim(study_uid) <> ''),
bearing AS (
    SELECT k.study_uid, k.sop_uid, k.source, k.location, k.pixel_key FROM keyed k SEMI JOIN concerned USING (study_uid)
), signatures AS (
    SELECT study_uid, sha256(array_to_string(list_sort(list(digest)), '|')) AS signature
    FROM (SELECT DISTINCT study_uid, sop_uid, coalesce(pixel_key, location) AS digest FROM bearing) GROUP BY study_uid
), together AS (
    SELECT study_uid, signature FROM signatures QUALIFY count(*) OVER (PARTITION BY signature) > 1
)
SELECT b.source, b.location, b.sop_uid, b.study_uid, b.pixel_key, t.signature
FROM bearing b JOIN together t USING (study_uid)
QUALIFY min(b.sop_uid) OVER (PARTITION BY t.signature, b.pixel_key) <> max(b.sop_uid) OVER (PARTITION BY t.signature, b.pixel_key)
    AND min(b.study_uid) OVER (PARTITION BY t.signature, b.pixel_key) <> max(b.study_uid) OVER (PARTITION BY t.signature, b.pixel_key);
-- Class j by name: an object that keeps another one's UID, with its pixels, or with pixels that can't be compared. What is
-- derived from an image points to it, too, but shows something else.
CREATE TEMP TABLE by_name AS
WITH referring AS (
    SELECT i.source, i.location, unnest(i."references") AS r FROM instances i SEMI JOIN telling t ON t.source = i.source AND t.location = i.location
    WHERE getvariable('references') AND len(i."references") > 0
), told AS (
    SELECT t.source, t.location, t.sop_uid, o.sop_uid AS original, string_agg(DISTINCT r.carrier, ', ' ORDER BY r.carrier) AS attribute, 'same pixels' AS how
    FROM referring x JOIN telling t ON t.source = x.source AND t.location = x.location
        JOIN telling o ON o.sop_uid = trim(x.r.sop_uid) AND o.pixel_key = t.pixel_key WHERE o.sop_uid <> t.sop_uid
    GROUP BY t.source, t.location, t.sop_uid, o.sop_uid
    UNION ALL BY NAME
    SELECT n.source, n.location, n.sop_uid, n.original, n.attribute,
        CASE WHEN c.source IS NULL THEN 'no pixels' WHEN c.pixel_key = o.pixel_key THEN 'same pixels'
             WHEN c.form = 'lossy' OR o.form = 'lossy' OR c.pixel_key IS NULL OR o.pixel_key IS NULL
                OR (c.transfer_syntax <> o.transfer_syntax AND NOT (c.decoded AND o.decoded)) THEN 'pixels not comparable, same size' END AS how
    FROM named n LEFT JOIN keyed c ON c.source = n.source AND c.location = n.location
        LEFT JOIN keyed o ON o.source = n.from_source AND o.location = n.from_location
), parents AS (
    SELECT sop_uid, min(original) AS original FROM told WHERE how IS NOT NULL GROUP BY sop_uid
), roots AS (
    -- the copy of a copy belongs to the first one
    SELECT a.sop_uid, coalesce(d.original, c.original, b.original, a.original) AS original
    FROM parents a LEFT JOIN parents b ON b.sop_uid = a.original LEFT JOIN parents c ON c.sop_uid = b.original LEFT JOIN parents d ON d.sop_uid = c.original
)
SELECT t.source, t.location, t.sop_uid, r.original, string_agg(DISTINCT t.attribute, ', ' ORDER BY t.attribute) AS attribute, min(how) AS how
FROM told t JOIN roots r USING (sop_uid) WHERE t.how IS NOT NULL AND r.original <> t.sop_uid
GROUP BY t.source, t.location, t.sop_uid, r.original

-- Classes a to d against the first copy, and f. `content` (source, location, kept_source, kept_location, pixels,
-- attributes) is what opening the few undecided files told: pixels same | other | undecodable, and differing keywords.
CREATE TEMP TABLE classified AS
WITH told AS (
    SELECT p.*, coalesce(d.differing, []) AS catalogued, coalesce(t.attributes, []) AS further,
        coalesce(t.pixels, p.pixels) AS pixels_found
    FROM copy_pairs p LEFT JOIN differing d USING (source, location)
        LEFT JOIN content t USING (source, location)
)
SELECT *, list_sort(list_distinct(list_concat(catalogued, further))) AS attributes,
    CASE WHEN same_object THEN 'a'
         WHEN pixels_found NOT IN ('none', 'same') THEN 'd'
         WHEN len(catalogued) = 0 AND len(further) = 0 THEN 'b' ELSE 'c' END AS class
FROM told;
CREATE TEMP TABLE instance_rows AS
WITH evidence AS (
    SELECT sop_uid, class, source, location, kept_source, kept_location,
        CASE class
        WHEN 'a' THEN 'same bytes'
        WHEN 'b' THEN concat(CASE pixels_found WHEN 'same' THEN 'same pixels, ' ELSE '' END, 'same attributes; differs: ',
            CASE WHEN same_syntax THEN 'file meta or encoding' ELSE concat('transfer syntax ', kept_syntax, ' / ', syntax) END)
        WHEN 'c' THEN concat(CASE pixels_found WHEN 'same' THEN 'same pixels; ' ELSE 'no pixels; ' END, 'differs: ',
            array_to_string(attributes, ', '))
        ELSE concat(CASE pixels_found WHEN 'other' THEN 'other pixels' ELSE 'contents could not be opened or decoded and compared' END,
            '; ', CASE WHEN len(attributes) = 0 THEN 'same attributes'
                       ELSE concat('differs: ', array_to_string(attributes, ', ')) END)
        END AS evidence
    FROM classified
), kept AS (
    SELECT sop_uid, class, kept_source AS source, kept_location AS location, kept_source, kept_location,
        concat('the copy ', count(*), ' other', CASE WHEN count(*) > 1 THEN 's are' ELSE ' is' END, ' compared with') AS evidence
    FROM classified GROUP BY sop_uid, class, kept_source, kept_location
), scattered AS (
    SELECT c.sop_uid, 'f' AS class, c.source, c.location, k.source AS kept_source, k.location AS kept_location,
        concat('one SOP Instance UID in ', c.places, ' series of ', c.studies, CASE c.studies WHEN 1 THEN ' study' ELSE ' studies' END) AS evidence
    FROM copies c JOIN copies k ON k.sop_uid = c.sop_uid AND k.number = 1 WHERE c.places > 1
)
SELECT g.group_id, r.class, 'instance' AS level, r.source, r.location AS member, r.sop_uid, c.study_uid, r.evidence,
    r.kept_source, r.kept_location
FROM (FROM evidence UNION ALL BY NAME FROM kept UNION ALL BY NAME FROM scattered) r
    JOIN copy_groups g USING (sop_uid) JOIN copies c ON c.source = r.source AND c.location = r.location;
-- Classes e and j: other SOP Instance UIDs, equal pixel bytes. A study whose pixel-bearing objects equal those of another
-- study one to one is a retrieved copy (j); the rest is e.
CREATE TEMP TABLE pictures AS
SELECT source, location, SOPInstanceUID AS sop_uid, StudyInstanceUID AS study_uid, digest_pixels
FROM instances WHERE trim(SOPInstanceUID) <> '' AND digest_pixels IS NOT NULL AND pixel_length >= 64;
CREATE TEMP TABLE twins AS
SELECT digest_pixels FROM pictures GROUP BY digest_pixels HAVING count(DISTINCT sop_uid) > 1;
CREATE TEMP TABLE retrieved AS
WITH concerned AS (SELECT DISTINCT study_uid FROM pictures SEMI JOIN twins USING (digest_pixels) WHERE trim(study_uid) <> ''),
bearing AS (
    SELECT DISTINCT StudyInstanceUID AS study_uid, SOPInstanceUID AS sop_uid, coalesce(digest_pixels, location) AS digest
    FROM instances SEMI JOIN concerned ON study_uid = StudyInstanceUID WHERE pixel_length IS NOT NULL
), signatures AS (
    SELECT study_uid, sha256(array_to_string(list_sort(list(digest)), '|')) AS signature FROM bearing GROUP BY study_uid
), together AS (
    SELECT study_uid, signature FROM signatures QUALIFY count(*) OVER (PARTITION BY signature) > 1
)
SELECT p.source, p.location, p.sop_uid, p.study_uid, p.digest_pixels, t.signature
FROM pictures p JOIN together t USING (study_uid)
QUALIFY min(p.sop_uid) OVER (PARTITION BY t.signature, p.digest_pixels) <> max(p.sop_uid) OVER (PARTITION BY t.signature, p.digest_pixels)
    AND min(p.study_uid) OVER (PARTITION BY t.signature, p.digest_pixels) <> max(p.study_uid) OVER (PARTITION BY t.signature, p.digest_pixels);
CREATE TEMP TABLE picture_rows AS
SELECT 'D' || left(sha256(concat_ws('|', 'j', signature)), 16) AS group_id, 'j' AS class, 'instance' AS level, source,
    location AS member, sop_uid, study_uid,
    concat('all pixels of ', count(DISTINCT study_uid) OVER (PARTITION BY signature), ' studies agree one to one; differs: StudyInstanceUID, SOPInstanceUID') AS evidence,
    NULL::VARCHAR AS kept_source, NULL::VARCHAR AS kept_location
FROM retrieved
UNION ALL
SELECT 'D' || left(sha256(concat_ws('|', 'e', p.digest_pixels)), 16), 'e', 'instance', source, location, sop_uid, study_uid,
    concat('same pixels under ', count(DISTINCT sop_uid) OVER (PARTITION BY p.digest_pixels), ' SOP Instance UIDs; differs: SOPInstanceUID'), NULL, NULL
FROM pictures p SEMI JOIN twins USING (digest_pixels) ANTI JOIN retrieved r USING (source, location)

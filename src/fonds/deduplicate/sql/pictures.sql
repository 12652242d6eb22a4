-- Which stored bytes are the same pixels, as decoding a few of them told, and the key of each object's pixels.
CREATE TEMP TABLE same_pixels AS
SELECT stored, min(digest) AS digest FROM (
    SELECT u.stored, t.digest FROM undecided_forms u JOIN told_content t USING (source, location) WHERE u.what = 'decoded'
    UNION ALL SELECT s.stored, t.digest FROM stored_images s JOIN told_images t USING (source, location)
) WHERE digest IS NOT NULL GROUP BY stored HAVING min(digest) = max(digest);
CREATE TEMP VIEW keyed AS
WITH digested AS (
    SELECT s.source, s.location, s.sop_uid, s.study_uid, s.pixel_length, s.form, s.transfer_syntax,
        CASE s.form WHEN 'lossy' THEN 'coded' ELSE s.form END || '|' || coalesce(s.digest_pixels, m.digest_pixels) AS stored
    FROM seen s LEFT JOIN measured m ON m.source = s.source AND m.location = s.location
)
SELECT d.*, coalesce('told|' || p.digest, d.stored) AS pixel_key, p.digest IS NOT NULL AS decoded
FROM digested d LEFT JOIN same_pixels p ON p.stored = d.stored;
-- Keys are grouped by a hash of theirs, so that all of an archive's fit into memory; then exactly.
CREATE TEMP TABLE twins AS
WITH several AS (
    SELECT hash(pixel_key) AS key FROM keyed WHERE pixel_key IS NOT NULL AND pixel_length >= getvariable('smallest')
    GROUP BY key HAVING min(hash(sop_uid)) <> max(hash(sop_uid))
), found AS (
    SELECT source, location, sop_uid, study_uid, pixel_key FROM keyed SEMI JOIN several ON several.key = hash(pixel_key)
), exact AS (SELECT pixel_key FROM found GROUP BY pixel_key HAVING min(sop_uid) <> max(sop_uid))
SELECT f.* FROM found f SEMI JOIN exact USING (pixel_key);
CREATE TEMP TABLE shown_once AS
SELECT pixel_key, arg_min(source, (source, location)) AS source, arg_min(location, (source, location)) AS location
FROM twins GROUP BY pixel_key

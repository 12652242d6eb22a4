-- Each copy against the one that is kept. `told_content` (source, location, digest, problem) is what opening the
-- undecided files told.
CREATE TEMP TABLE contents AS
SELECT f.sop_uid, f.stored, coalesce('told|' || min(t.digest), f.stored) AS content_key,
    CASE WHEN min(t.digest) IS NULL THEN coalesce(min(t.problem), min(CASE WHEN f.form = 'unread' OR starts_with(f.stored, 'file|') THEN 'closed' END)) END AS problem
FROM stored_forms f LEFT JOIN undecided_forms u USING (sop_uid, stored, source, location)
    LEFT JOIN told_content t ON t.source = u.source AND t.location = u.location
GROUP BY f.sop_uid, f.stored;
CREATE TEMP TABLE ordered AS
WITH known AS (
    SELECT c.*, t.content_key, t.problem, 0 AS named FROM copies c JOIN contents t USING (sop_uid, stored)
), judged AS (
    -- the class as a whole decides by which preferences one is kept, as the first of its archives has it
    SELECT k.sop_uid, arg_min(k.source, k.position) AS first,
        CASE WHEN any_value(g.places) > 1 THEN 'f'
             WHEN count(DISTINCT coalesce(k.digest_object, k.source || '|' || k.location)) = 1 THEN 'a'
             WHEN count(DISTINCT k.content_key) > 1 THEN 'd'
             WHEN count(DISTINCT k.attributes_hash) > 1 THEN 'c' ELSE 'b' END AS class
    FROM known k JOIN copy_groups g USING (sop_uid) GROUP BY k.sop_uid
), ranked AS (
    SELECT k.* REPLACE (greatest(k.incomplete, CASE WHEN k.problem = 'closed' THEN 2 ELSE 0 END) AS incomplete), p.keep
    FROM known k JOIN judged j USING (sop_uid)
        JOIN (SELECT class, coalesce(source, '') AS source, keep FROM policy) p
            ON p.class = j.class AND p.source = CASE WHEN j.first IN (SELECT source FROM policy) THEN j.first ELSE '' END
), scored AS (
    SELECT *, {ranking} AS ranks, {reasons} AS reasons FROM ranked
)
SELECT *, row_number() OVER (PARTITION BY sop_uid ORDER BY ranks, position, source, location) AS number
FROM scored;
CREATE TEMP TABLE numbered AS
WITH firsts AS (SELECT *, min(number) OVER (PARTITION BY sop_uid, content_key) AS first FROM ordered)
SELECT sop_uid, source, location, dense_rank() OVER (PARTITION BY sop_uid ORDER BY first) AS content FROM firsts;
CREATE TEMP TABLE copy_pairs AS
SELECT c.sop_uid, k.source AS kept_source, k.location AS kept_location, c.source, c.location, n.content,
    k.transfer_syntax AS kept_syntax, c.transfer_syntax AS syntax, c.form, k.form AS kept_form,
    coalesce(c.digest_object = k.digest_object, false) AS same_object,
    coalesce(c.digest_header = k.digest_header, false) AS same_header,
    c.attributes_hash = k.attributes_hash AS same_attributes, n.content = 1 AS same_content,
    coalesce(c.problem, k.problem) AS problem,
    coalesce(c.reasons[list_position(list_transform(range(1, len(c.ranks) + 1), lambda n: c.ranks[n] IS DISTINCT FROM k.ranks[n]), true)],
        'location') AS why,
    list_transform(list_zip([-c.coerced, -c.original_attributes, -c.content_time, -c.acquisition_time, -c.mtime_ns],
        [-k.coerced, -k.original_attributes, -k.content_time, -k.acquisition_time, -k.mtime_ns]), lambda p: sign(p[1] - p[2])) AS ages,
    c.filled - k.filled AS more
FROM ordered c JOIN ordered k ON k.sop_uid = c.sop_uid AND k.number = 1 JOIN numbered n ON n.source = c.source AND n.location = c.location
WHERE c.number > 1

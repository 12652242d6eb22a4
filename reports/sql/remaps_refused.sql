-- Groups and rules whose new UIDs are refused, with what to do
WITH refused AS (
    SELECT cause, reason, source, location, false AS refers FROM remaps WHERE state = 'refused'
    UNION ALL SELECT cause, reason, source, location, true FROM rewrites WHERE state = 'refused'
), counted AS (
    SELECT cause, count(DISTINCT (source, location)) AS objects, count(*) FILTER (refers) AS rewrites,
        list_sort(list(DISTINCT source)) AS sources, coalesce(min(reason), 'refused') AS reason
    FROM refused GROUP BY cause ORDER BY objects DESC, cause LIMIT 25
)
SELECT cause, reason, coalesce(m.title, reason) AS title, objects, rewrites, sources, m.text AS fix
FROM counted LEFT JOIN remedies m ON m.kind = 'remaps' AND m.code = reason ORDER BY objects DESC, cause

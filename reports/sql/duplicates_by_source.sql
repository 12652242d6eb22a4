-- What each archive holds that is there twice, in it or elsewhere
WITH held AS (
    SELECT source, count(DISTINCT group_id) AS groups, count(DISTINCT group_id) FILTER (disposition = 'hold') AS waiting
    FROM duplicates GROUP BY source
), behind AS (
    SELECT d.source, count(*) AS copies, sum(i.size) AS bytes
    FROM (SELECT DISTINCT source, member FROM duplicates WHERE level = 'instance' AND disposition = 'drop-copy') d
        LEFT JOIN inventory i ON i.source = d.source AND i.location = d.member
    GROUP BY d.source
), shared AS (
    SELECT d.source, count(DISTINCT group_id) AS elsewhere FROM duplicates d
        SEMI JOIN (SELECT group_id FROM duplicates GROUP BY group_id HAVING min(source) <> max(source)) USING (group_id)
    GROUP BY d.source
), renamed AS (
    SELECT source, count(DISTINCT location) FILTER (state = 'planned') AS renamed,
        count(DISTINCT location) FILTER (state = 'refused') AS refused FROM remaps GROUP BY source
), followed AS (
    SELECT source, count(*) AS rewritten FROM rewrites WHERE state = 'planned' GROUP BY source
)
SELECT source, coalesce(groups, 0) AS groups, coalesce(elsewhere, 0) AS elsewhere, coalesce(waiting, 0) AS waiting, coalesce(copies, 0) AS copies,
    coalesce(bytes, 0)::DOUBLE AS bytes, coalesce(renamed, 0) AS renamed, coalesce(refused, 0) AS refused, coalesce(rewritten, 0) AS rewritten
FROM held FULL JOIN behind USING (source) FULL JOIN shared USING (source) FULL JOIN renamed USING (source) FULL JOIN followed USING (source)
ORDER BY source

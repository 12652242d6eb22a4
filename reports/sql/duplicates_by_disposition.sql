-- What happens to the members of each class, by what decided it, and what is left to do
WITH counted AS (
    SELECT class, disposition, CASE why WHEN 'location' THEN 'first by location' WHEN 'policy' THEN 'the policy' ELSE replace(why, '-', ' ') END AS why,
        count(*) AS members
    FROM duplicates GROUP BY ALL
), grouped AS (
    SELECT class, disposition, count(DISTINCT group_id) AS groups FROM duplicates GROUP BY ALL
), ended AS (
    SELECT class, disposition, sum(members)::BIGINT AS members, string_agg(format('{} ({:,})', why, members), ', ' ORDER BY members DESC, why) AS why
    FROM counted GROUP BY ALL
)
SELECT concat_ws(': ', class, m.title) AS class, disposition, groups, members, why,
    CASE disposition WHEN 'hold' THEN m.text WHEN 'keep' THEN 'It is sent.' WHEN 'inform' THEN 'Nothing; all are sent as they are.'
        WHEN 'drop-copy' THEN 'Nothing; the copy stays behind, and what points to it points to the kept one.'
        WHEN 'remap' THEN 'Nothing, unless it is refused (below): it is sent under a new UID, and what points to it follows.'
        WHEN 'unite' THEN 'Nothing; all go under one Study UID.' END AS fix
FROM ended JOIN grouped USING (class, disposition) LEFT JOIN remedies m ON m.kind = 'duplicates' AND m.code = class
ORDER BY ended.class, list_position(['hold', 'keep', 'drop-copy', 'remap', 'unite', 'inform'], disposition)

-- Groups and members of each class, and what happens to them
WITH counted AS (
    SELECT class, disposition, count(*) AS members FROM duplicates GROUP BY ALL
)
SELECT d.class, any_value(m.title) AS title, count(DISTINCT group_id) AS groups, count(*) AS members,
    (SELECT string_agg(format('{} {:,}', disposition, c.members), ', ' ORDER BY disposition) FROM counted c
     WHERE c.class = d.class) AS dispositions, any_value(m.text) AS fix
FROM duplicates d LEFT JOIN remedies m ON m.kind = 'duplicates' AND m.code = d.class
GROUP BY d.class ORDER BY d.class

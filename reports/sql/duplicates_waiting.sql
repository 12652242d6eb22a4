-- The largest groups that wait, by name only: what their members say stands at the desk
WITH chosen AS (
    SELECT group_id, count(*) AS members, count(DISTINCT study_uid) AS studies FROM duplicates
    WHERE disposition = 'hold' GROUP BY group_id ORDER BY members DESC, group_id LIMIT 25
), told AS (
    SELECT d.group_id, any_value(c.members) AS members, any_value(c.studies) AS studies, list_sort(list(DISTINCT d.class)) AS classes,
        list_sort(list(DISTINCT d.source)) AS sources, list_sort(list_distinct(flatten(list(coalesce(d.differs, []))))) AS differs
    FROM duplicates d JOIN chosen c USING (group_id) WHERE d.disposition = 'hold' GROUP BY d.group_id
)
SELECT group_id, concat(coalesce(m.title, classes[-1]), '. ', m.text) AS heading, array_to_string(classes, ', ') AS class, members, studies, sources,
    array_to_string(differs[:6], ', ') || CASE WHEN len(differs) > 6 THEN format(' and {:,} more', len(differs) - 6) ELSE '' END AS differs
FROM told LEFT JOIN remedies m ON m.kind = 'duplicates' AND m.code = classes[-1]
ORDER BY classes[-1], members DESC, group_id

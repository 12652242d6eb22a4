-- Members of each class by what happens to them
SELECT concat_ws(' ', d.class, any_value(m.title)) AS class, disposition, count(*) AS members
FROM duplicates d LEFT JOIN remedies m ON m.kind = 'duplicates' AND m.code = d.class
GROUP BY d.class, disposition ORDER BY d.class, disposition

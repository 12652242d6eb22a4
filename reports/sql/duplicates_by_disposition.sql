-- Members of each class by what happens to them
SELECT class, disposition, count(*) AS members FROM duplicates GROUP BY class, disposition ORDER BY class, disposition

-- Persons by the number of their records
SELECT cluster_size AS records, count(DISTINCT person_id) AS persons FROM persons GROUP BY cluster_size ORDER BY 1

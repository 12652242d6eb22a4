-- Pairs of studies by how alike they are; steps get finer where scores crowd
WITH steps AS (
    SELECT CASE WHEN score < 0.5 THEN 1 WHEN score < 0.9 THEN 2 WHEN score < 0.99 THEN 3 WHEN score < 0.999 THEN 4 ELSE 5 END AS step, band
    FROM study_pairs WHERE score IS NOT NULL
)
SELECT ['below 50 %', '50 to 90 %', '90 to 99 %', '99 to 99.9 %', 'from 99.9 %'][step] AS alike, band, count(*) AS pairs
FROM steps GROUP BY step, band ORDER BY step DESC, band

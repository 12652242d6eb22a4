-- Quality by source, modality and year; where the years are many, they are taken together by five or ten
WITH told AS (SELECT *, try_cast(study_year AS INTEGER) AS year FROM quality_by_cell WHERE applicable > 0),
width AS (
    SELECT CASE WHEN count(DISTINCT year) <= 12 THEN 1 WHEN max(year) - min(year) < 60 THEN 5 ELSE 10 END AS years FROM told
), placed AS (
    SELECT *, year // years * years AS first, years FROM told, width
)
SELECT concat(source, CASE WHEN department <> source THEN concat(' (', department, ')') ELSE '' END, ' · ',
        coalesce(nullif(modality, ''), 'no modality')) AS cell,
    CASE WHEN first IS NULL THEN 'no date' WHEN years = 1 THEN first::VARCHAR
        ELSE format('{:02d}–{:02d}', first % 100, (first + years - 1) % 100) END AS years,
    1 - sum(weighted_failed) / sum(weighted_applicable)::DOUBLE AS quality
FROM placed GROUP BY source, department, modality, first, years
HAVING sum(weighted_applicable) > 0
ORDER BY first NULLS LAST, source, modality = '', modality

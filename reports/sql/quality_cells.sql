-- Quality by source, modality and year; where the years are many, they are taken together by five or ten. Every pair has a
-- row, without a quality where there is nothing, so that rows and columns keep their order.
WITH told AS (SELECT *, try_cast(study_year AS INTEGER) AS year FROM quality_by_cell WHERE applicable > 0),
width AS (
    SELECT CASE WHEN count(DISTINCT year) <= 12 THEN 1 WHEN max(year) - min(year) < 60 THEN 5 ELSE 10 END AS span FROM told
), placed AS (
    SELECT source, department, modality, coalesce(year // span * span, 9999) AS first, any_value(span) AS span,
        1 - sum(weighted_failed) / nullif(sum(weighted_applicable), 0)::DOUBLE AS quality
    FROM told, width GROUP BY source, department, modality, year // span * span
)
SELECT concat(source, CASE WHEN department <> source THEN concat(' (', department, ')') ELSE '' END, ' · ',
        coalesce(nullif(modality, ''), 'no modality')) AS cell,
    CASE WHEN first = 9999 THEN 'no date' WHEN span = 1 THEN first::VARCHAR
        ELSE format('{:02d}–{:02d}', first % 100, (first + span - 1) % 100) END AS years,
    quality
FROM (SELECT DISTINCT source, department, modality FROM placed) CROSS JOIN (SELECT DISTINCT first, span FROM placed)
    LEFT JOIN placed USING (source, department, modality, first, span)
ORDER BY source, modality = '', modality = 'several', modality, first

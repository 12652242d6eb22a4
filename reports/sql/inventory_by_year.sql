-- Studies by year of their study date and source; dates that are none are left to the findings, years without a study
-- are kept as zero
WITH dated AS (
    SELECT source, try_strptime(StudyDate, '%Y%m%d')::DATE AS day FROM studies WHERE regexp_full_match(StudyDate, '[0-9]{8}')
), counted AS (
    SELECT year(day) AS year, source, count(*) AS studies FROM dated
    WHERE day BETWEEN DATE '1980-01-01' AND coalesce((SELECT max(left(started, 10))::DATE FROM runs), DATE '9999-12-31')
    GROUP BY ALL
), years AS (
    SELECT unnest(range((SELECT min(year) FROM counted), (SELECT max(year) + 1 FROM counted))) AS year
)
SELECT y.year::VARCHAR AS year, coalesce(c.source, (SELECT min(source) FROM counted)) AS source,
    coalesce(c.studies, 0) AS studies
FROM years y LEFT JOIN counted c USING (year) ORDER BY y.year, source

-- Objects by modality (as the source says) and source, most frequent modality first
WITH counted AS (
    SELECT coalesce(nullif(trim(Modality), ''), 'none') AS modality, source, count(*) AS objects
    FROM instances GROUP BY ALL
), ranked AS (
    SELECT modality, row_number() OVER (ORDER BY sum(objects) DESC, modality) AS place FROM counted GROUP BY modality
)
SELECT CASE WHEN place <= 15 THEN modality ELSE 'others' END AS modality, source, sum(objects)::BIGINT AS objects
FROM counted JOIN ranked USING (modality) GROUP BY ALL ORDER BY min(place), source

-- The histories of three persons, those with most sources and items: person, day, source and kind only; no name, number,
-- description or report. Who has more items than fit is no patient but a phantom, as a rule.
WITH sized AS (
    SELECT person_id FROM timeline WHERE day IS NOT NULL GROUP BY person_id HAVING count(*) BETWEEN 2 AND 150
    ORDER BY count(DISTINCT source) DESC, count(*) DESC, person_id LIMIT 3
), chosen AS (
    SELECT person_id, row_number() OVER (ORDER BY person_id) AS place FROM sized
)
SELECT t.person_id AS person, source, day,
    CASE kind WHEN 'document' THEN 'report' WHEN 'key-images' THEN 'annotation' WHEN 'measurement' THEN 'annotation'
        WHEN 'log' THEN 'dose or log' WHEN 'dose' THEN 'dose or log' ELSE kind END AS kind, count(*) AS items,
    bool_or(len(missing) > 0) AS lacking
FROM (SELECT person_id, unnest(sources) AS source, day, kind, missing FROM timeline WHERE day IS NOT NULL) t JOIN chosen USING (person_id)
GROUP BY ALL ORDER BY person, source, day, kind

-- How the weights of three pairs in question add up: the nearest to even odds, each of another pattern. Levels and weights
-- only: the values themselves are patient data and stand at the desk.
WITH asked AS (
    SELECT record_a, record_b, evidence, weight FROM pairs
    WHERE band = 'review' AND json_array_length(evidence) > 0
    QUALIFY row_number() OVER (PARTITION BY coalesce(pattern::VARCHAR, record_a || record_b)
        ORDER BY abs(weight), record_a, record_b) = 1
    ORDER BY abs(weight), record_a, record_b LIMIT 3
), steps AS (
    SELECT record_a, record_b, abs(weight) AS far,
        unnest(from_json(evidence, '[{"comparison":"VARCHAR","label":"VARCHAR","weight":"DOUBLE"}]')) AS step,
        generate_subscripts(from_json(evidence, '["JSON"]'), 1) AS number
    FROM asked
), fallen AS (
    SELECT concat(record_a, ' and ', record_b) AS pair, far, if(step.comparison = 'prior', 0, number) AS place, step.weight AS weight,
        concat_ws(': ', replace(step.comparison, '_', ' '), CASE WHEN step.comparison <> 'prior' THEN step.label END) AS step,
        sum(step.weight) OVER (PARTITION BY record_a, record_b ORDER BY place) AS reached
    FROM steps WHERE step.weight IS NOT NULL AND NOT (step.label = 'missing' AND step.weight = 0)
)
SELECT pair, step, round(weight, 1) + 0 AS weight, begins, ends, side FROM (
    SELECT *, reached - weight AS begins, reached AS ends, CASE WHEN weight < 0 THEN 'against' ELSE 'for' END AS side
    FROM fallen
    UNION ALL BY NAME
    SELECT pair, any_value(far) AS far, 1000 AS place, 'sum' AS step, max_by(reached, place) AS weight, 0 AS begins,
        max_by(reached, place) AS ends, 'sum' AS side
    FROM fallen GROUP BY pair
) ORDER BY far, pair, place

SELECT e.comparison, e.label, e.a, e.b, round(e.weight, 2) AS weight
FROM pairs p, unnest(from_json(p.evidence, '[{"comparison":"VARCHAR","label":"VARCHAR","a":"VARCHAR","b":"VARCHAR","weight":"DOUBLE"}]')) AS t(e)
WHERE p.record_a = $1 AND p.record_b = $2

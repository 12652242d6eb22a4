-- Pairs inside a person, the weakest first
SELECT record_a, record_b, weight, probability, band, note, outcome, decided, decided_by FROM pairs
WHERE list_contains($records, record_a) AND list_contains($records, record_b)
ORDER BY decided IS NOT DISTINCT FROM 'link' OR outcome IS NOT DISTINCT FROM 'link', weight, record_a, record_b

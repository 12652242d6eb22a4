SELECT band, round(weight, 2) AS weight, round(probability, 6) AS probability, note
FROM pairs WHERE record_a = $1 AND record_b = $2

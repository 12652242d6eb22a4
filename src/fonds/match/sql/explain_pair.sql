-- The pair as the last run left it
FROM pairs WHERE record_a = $a AND record_b = $b

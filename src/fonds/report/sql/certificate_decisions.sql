-- What people decided, without what they took back
SELECT kind, verdict, count(*) AS decisions FROM decisions
WHERE undoes IS NULL AND decision_id NOT IN (SELECT undoes FROM decisions WHERE undoes IS NOT NULL)
GROUP BY ALL ORDER BY kind, verdict

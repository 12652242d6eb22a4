-- The final state of every file
SELECT state, count(*) AS files, coalesce(sum(size), 0)::BIGINT AS bytes
FROM reconciliation LEFT JOIN inventory USING (source, location)
GROUP BY state ORDER BY state

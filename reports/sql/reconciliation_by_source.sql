-- Files by source and final state
SELECT source, state, count(*) AS files FROM reconciliation GROUP BY source, state
ORDER BY source, list_position(['verified', 'held', 'excluded', 'failed'], state)

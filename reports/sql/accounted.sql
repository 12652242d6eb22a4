-- The one statement that counts: the sum of final states is the inventory
WITH counted AS (
    SELECT (SELECT count(*) FROM inventory) AS expected,
        (SELECT count(*) FROM inventory SEMI JOIN reconciliation USING (source, location)) AS found,
        (SELECT count(*) FROM reconciliation) AS states
)
SELECT 'Every file of the inventory is in exactly one final state' AS statement, expected, found,
    CASE WHEN states > 0 THEN expected = found AND states = expected END AS passed
FROM counted

-- What must hold at the end; NULL in `passed` means that reconciliation has not run
WITH inv AS (SELECT source, location FROM inventory),
rec AS (SELECT source, location, count(*) AS times FROM reconciliation GROUP BY ALL),
ran AS (SELECT count(*) > 0 AS yes FROM reconciliation),
facts AS (
    SELECT 1 AS place, 'Files of the inventory with a final state' AS statement, (SELECT count(*) FROM inv) AS expected,
        (SELECT count(*) FROM inv SEMI JOIN rec USING (source, location)) AS found
    UNION ALL SELECT 2, 'Files with more than one final state', 0, (SELECT count(*) FROM rec WHERE times > 1)
    UNION ALL SELECT 3, 'Final states of files that are not in the inventory', 0,
        (SELECT count(*) FROM rec ANTI JOIN inv USING (source, location))
    UNION ALL SELECT 4, 'Sum of verified, held, excluded and failed', (SELECT count(*) FROM inv),
        (SELECT count(*) FROM reconciliation WHERE state IN ('verified', 'held', 'excluded', 'failed'))
    UNION ALL SELECT 5, 'Held, excluded or failed files without a reason', 0,
        (SELECT count(*) FROM reconciliation WHERE state <> 'verified' AND coalesce(reason, '') = '')
    UNION ALL SELECT 6, 'Verified objects whose pixel data differs from the source', 0,
        (SELECT count(*) FROM reconciliation r JOIN ledger l USING (source, location)
         WHERE r.state = 'verified' AND l.digest_pixels_before IS DISTINCT FROM l.digest_pixels_after)
)
SELECT statement, expected, found, CASE WHEN (SELECT yes FROM ran) THEN expected = found END AS passed
FROM facts ORDER BY place

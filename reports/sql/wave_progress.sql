-- Files of each wave by where they are: verified, sent, open, failed
WITH moving AS (
    SELECT p.wave, p.sequence, CASE WHEN l.state IN ('verified', 'sent', 'failed') THEN l.state ELSE 'open' END AS state
    FROM plan p LEFT JOIN ledger l USING (source, location) WHERE p.state = 'planned'
), ordered AS (SELECT wave, min(sequence) AS place FROM moving GROUP BY wave)
SELECT wave, state, count(*) AS files FROM moving JOIN ordered USING (wave) GROUP BY wave, place, state
ORDER BY place, wave, list_position(['verified', 'sent', 'open', 'failed'], state)

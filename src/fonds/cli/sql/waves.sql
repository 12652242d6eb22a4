-- What moves, by wave; then what doesn't, by reason.
SELECT coalesce(p.wave, concat(p.state, ': ', p.reason)) AS wave, count(DISTINCT p.study_uid) AS studies, count(*) AS objects,
    count(*) FILTER (l.state IN ('sent', 'verified')) AS sent, count(*) FILTER (r.state = 'verified') AS verified,
    count(*) FILTER (r.state = 'failed') AS failed
FROM plan p LEFT JOIN ledger l USING (source, location) LEFT JOIN reconciliation r USING (source, location)
GROUP BY p.state, p.wave, p.reason
ORDER BY array_position(['planned', 'held', 'excluded'], p.state), p.wave, objects DESC, p.reason

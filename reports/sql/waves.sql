-- Each wave: what is in it and how far it is
SELECT p.wave, count(DISTINCT p.study_uid) AS studies, count(*) AS files,
    count(*) FILTER (l.state = 'verified') AS verified,
    count(*) FILTER (coalesce(l.state, 'planned') IN ('planned', 'sending', 'sent')) AS open,
    count(*) FILTER (l.state = 'failed') AS failed, coalesce(sum(l.bytes), 0)::BIGINT AS bytes
FROM plan p LEFT JOIN ledger l USING (source, location)
WHERE p.state = 'planned' GROUP BY p.wave ORDER BY min(p.sequence), p.wave

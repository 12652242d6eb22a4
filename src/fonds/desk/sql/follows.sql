-- A row for each verdict: objects that get new UIDs, are left behind as copies, or keep waiting; objects that go and point
-- to what changes, by source; references of which it can't be told what they mean or that lead nowhere, and objects the
-- target has already: these refuse new UIDs. Stands behind one of the follows_*.sql, which tell `fates` (verdict, source,
-- location, fate, changes) and `meant`, the links that name what the group is about.
changing AS (
    SELECT verdict, source, location FROM fates WHERE changes
), reached AS (
    SELECT l.source, l.location, c.verdict FROM links l
        JOIN changing c ON c.source = l.resolved_source AND c.location = l.resolved_location
), staying AS (
    SELECT DISTINCT d.source, d.member AS location FROM duplicates d
        SEMI JOIN (SELECT source, location FROM reached UNION SELECT source, location FROM meant) n
        ON n.source = d.source AND n.location = d.member
    WHERE d.level = 'instance' AND d.disposition = 'drop-copy'
), following AS (
    SELECT DISTINCT verdict, source, location FROM reached ANTI JOIN staying USING (source, location)
), pointing AS (
    SELECT verdict, list({'source': source, 'objects': objects} ORDER BY source) AS pointing
    FROM (SELECT verdict, source, count(*) AS objects FROM following GROUP BY verdict, source) GROUP BY verdict
), doubted AS (
    SELECT count(DISTINCT (source, location)) AS doubtful FROM meant ANTI JOIN staying USING (source, location)
    WHERE state = 'dangling' OR candidates > 1
), there AS (
    SELECT verdict, count(*) AS sent FROM (
        SELECT verdict, source, location FROM fates WHERE fate = 'new' UNION FROM following)
    SEMI JOIN (FROM ledger WHERE state IN ('sending', 'sent', 'verified')) l USING (source, location) GROUP BY verdict
)
SELECT verdict, count(*) FILTER (fate = 'new') AS renamed, count(*) FILTER (fate = 'left') AS left_behind,
    count(*) FILTER (fate = 'waits') AS waiting, any_value(p.pointing) AS pointing, any_value(d.doubtful) AS doubtful,
    coalesce(any_value(t.sent), 0) AS sent
FROM fates f LEFT JOIN there t USING (verdict) LEFT JOIN pointing p USING (verdict) CROSS JOIN doubted d
GROUP BY verdict ORDER BY verdict

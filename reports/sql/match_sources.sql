-- Each archive and feed: its records, whose they are, and what is open
WITH known AS (
    SELECT m.source, m.origin, m.record_id, p.person_id, p.settled, p.reason
    FROM match_records m LEFT JOIN persons p USING (record_id)
), people AS (
    SELECT person_id, bool_or(origin = 'feed') AS indexed, count(DISTINCT source) AS sources FROM known
    WHERE person_id IS NOT NULL GROUP BY person_id
)
SELECT k.source, CASE k.origin WHEN 'feed' THEN 'patient index' ELSE 'archive' END AS kind, count(*) AS records,
    count(DISTINCT k.person_id) AS persons, count(DISTINCT k.person_id) FILTER (sources > 1) AS elsewhere,
    CASE k.origin WHEN 'archive' THEN count(DISTINCT k.person_id) FILTER (indexed) END AS indexed,
    count(*) FILTER (k.reason = 'review') AS waiting, count(*) FILTER (k.reason = 'overlay') AS overlays
FROM known k LEFT JOIN people USING (person_id)
GROUP BY k.source, k.origin ORDER BY k.origin, k.source

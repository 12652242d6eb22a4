-- What each feed tells, how much of it found its study, and by which way
WITH told AS (
    SELECT feed, 'order' AS kind, order_id AS id, coalesce(scheduled, ordered) AS told, status FROM feed_orders
    UNION ALL SELECT feed, 'report', report_id, issued, status FROM feed_reports
), found AS (
    SELECT feed, kind, id, min(state) AS state, min(how) AS how, bool_or(same_patient IS false) AS other FROM feed_links GROUP BY ALL
)
SELECT t.feed, t.kind, count(*) AS rows, count(*) FILTER (state = 'linked') AS linked, avg((coalesce(state, 'none') = 'linked')::INTEGER) AS share,
    concat_ws(', ', nullif(format('Study UID {:,}', count(*) FILTER (state = 'linked' AND how = 'study-uid')), 'Study UID 0'),
        nullif(format('accession number {:,}', count(*) FILTER (state = 'linked' AND how = 'accession')), 'accession number 0'),
        nullif(format('order {:,}', count(*) FILTER (state = 'linked' AND how = 'order')), 'order 0')) AS how,
    count(*) FILTER (state = 'suggested') AS suggested, count(*) FILTER (coalesce(state, 'none') = 'none') AS lost, count(*) FILTER (other) AS other,
    min(iso_day(told))::VARCHAR AS first_day, max(iso_day(told))::VARCHAR AS last_day
FROM told t LEFT JOIN found f ON f.feed = t.feed AND f.kind = t.kind AND f.id = t.id
GROUP BY t.feed, t.kind ORDER BY t.feed, t.kind

-- Share of the studies with images that have a report, and an order, among those of which one is expected; five or ten years
-- together where there are many. NULL leaves a gap: nothing is expected there, or no feed tells of orders.
WITH held AS (
    SELECT unnest(sources) AS source, try_cast(left(c."at", 4) AS INTEGER) AS year, study_uid, reports > 0 AS reported,
        order_id IS NOT NULL AS ordered, list_contains(missing, 'images-without-report') AS unreported,
        list_contains(missing, 'study-without-order') AS unordered
    FROM study_context c WHERE images > 0
), spans AS (
    SELECT CASE WHEN count(DISTINCT year) <= 10 THEN 1 WHEN max(year) - min(year) < 50 THEN 5 ELSE 10 END AS span FROM held
), cells AS (
    SELECT source, year // span * span AS first, span, count(DISTINCT study_uid) FILTER (reported) AS reported,
        count(DISTINCT study_uid) FILTER (reported OR unreported) AS of_reports, count(DISTINCT study_uid) FILTER (ordered) AS ordered,
        count(DISTINCT study_uid) FILTER (ordered OR unordered) AS of_orders
    FROM held, spans WHERE year BETWEEN 1970 AND 2100 GROUP BY ALL
), shares AS (
    SELECT source, first, span, 'report' AS what, reported / nullif(of_reports, 0) AS share FROM cells
    UNION ALL SELECT source, first, span, 'order', ordered / nullif(of_orders, 0) FROM cells
), grid AS (
    -- every row has every year, so that both axes keep their order
    SELECT * FROM (SELECT DISTINCT source, what FROM shares WHERE share IS NOT NULL), (SELECT DISTINCT first, span FROM shares WHERE share IS NOT NULL)
)
SELECT concat(g.source, ': ', g.what) AS what, CASE WHEN g.span = 1 THEN first::VARCHAR ELSE concat(first, ' to ', first + g.span - 1) END AS years, share
FROM grid g LEFT JOIN shares s USING (source, what, first)
ORDER BY g.what = 'order', g.source, first

-- Studies with images of each archive, and how many of them have what belongs to them
WITH held AS (
    SELECT unnest(sources) AS source, study_uid, reports > 0 AS reported, order_id IS NOT NULL AS ordered, missing
    FROM study_context WHERE images > 0
)
SELECT source, count(DISTINCT study_uid) AS studies, count(DISTINCT study_uid) FILTER (reported) AS with_report,
    count(DISTINCT study_uid) FILTER (list_contains(missing, 'images-without-report')) AS without_report,
    count(DISTINCT study_uid) FILTER (ordered) AS with_order,
    count(DISTINCT study_uid) FILTER (list_contains(missing, 'study-without-order')) AS without_order
FROM held GROUP BY source ORDER BY source

-- Why files could not be read
SELECT reason, count(*) AS files, list_sort(list(DISTINCT source)) AS sources, min(location) AS example
FROM unreadable GROUP BY reason ORDER BY files DESC, reason

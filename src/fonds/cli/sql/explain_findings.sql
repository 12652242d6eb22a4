SELECT check_id, severity, source, attribute, value, message, count(*) AS times
FROM findings WHERE study_uid = $1 GROUP BY ALL ORDER BY ALL

-- What the last finished run of each stage was defined by
SELECT arg_max(definitions, run) AS definitions FROM runs
WHERE ended IS NOT NULL AND status <> 'failed' AND stage <> 'report' GROUP BY stage ORDER BY stage

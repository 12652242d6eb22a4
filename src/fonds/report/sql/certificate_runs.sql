-- The last finished run of each stage, oldest first. The report's own run is still open while it is written.
SELECT arg_max(run, run) AS run, stage, arg_max(status, run) AS status, left(arg_max(started, run), 19) AS started,
    left(arg_max(ended, run), 19) AS ended
FROM runs WHERE ended IS NOT NULL AND status <> 'failed' AND stage <> 'report' GROUP BY stage ORDER BY run

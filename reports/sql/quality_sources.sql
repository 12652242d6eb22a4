-- The quality index of every source, the departments that have several sources, and all
WITH counted AS (SELECT *, count(*) FILTER (scope = 'source') OVER (PARTITION BY department) AS sources FROM quality_index)
SELECT CASE scope WHEN 'all' THEN 'All departments' WHEN 'department' THEN department || ' (department)' ELSE source END AS name,
    checks, checks_failed, failed, blocking, critical_share, quality, quality_after
FROM counted WHERE scope IN ('all', 'source') AND applicable IS NOT NULL OR scope = 'department' AND sources > 1
ORDER BY scope = 'all', department, scope = 'source', source

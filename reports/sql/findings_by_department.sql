-- Findings by department and severity, the department with most findings first
WITH counted AS (
    SELECT coalesce(department, 'none') AS department, severity, count(*) AS findings FROM findings GROUP BY ALL
)
SELECT department, severity, findings FROM counted
ORDER BY sum(findings) OVER (PARTITION BY department) DESC, department,
    list_position(['block', 'critical', 'major', 'minor', 'info'], severity)

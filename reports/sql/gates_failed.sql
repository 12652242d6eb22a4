-- Expectations that failed after the rules, those that stop the wave first
SELECT g.check_id, coalesce(m.title, g.name) AS title, g.suite, g.source, g.unexpected AS failing, g.evaluated, g.mostly,
    CASE g.stops WHEN 'wave' THEN 'closed' ELSE 'told' END AS state
FROM gates g LEFT JOIN remedies m ON m.kind = 'checks' AND m.code = g.check_id
WHERE NOT g.success AND g.stage = 'normalize'
ORDER BY g.stops = 'wave' DESC, list_position(['block', 'critical', 'major', 'minor', 'info'], g.severity),
    g.unexpected DESC, g.source, g.check_id

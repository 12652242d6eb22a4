-- What is missing around studies, by kind and severity, the most serious first
SELECT g.kind, g.severity, coalesce(any_value(m.title), g.kind) AS title, count(*) AS gaps, count(DISTINCT study_uid) AS studies,
    list_sort(list(DISTINCT source)) AS sources, any_value(m.text) AS fix
FROM gaps g LEFT JOIN remedies m ON m.kind = 'gaps' AND m.code = g.kind
GROUP BY g.kind, g.severity
ORDER BY coalesce(list_position(['critical', 'major', 'minor', 'info'], g.severity), 9), gaps DESC, g.kind

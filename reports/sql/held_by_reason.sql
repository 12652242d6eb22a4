-- Held files by reason, with what to do; what reconciliation found, or the plan before it has run
WITH ended AS (
    SELECT source, study_uid, reason FROM reconciliation WHERE state = 'held'
    UNION ALL SELECT source, study_uid, reason FROM plan
    WHERE state = 'held' AND (SELECT count(*) FROM reconciliation) = 0
)
SELECT reason, coalesce(any_value(m.title), reason) AS title, count(DISTINCT study_uid) AS studies, count(*) AS files,
    list_sort(list(DISTINCT source)) AS sources, any_value(m.text) AS fix
FROM ended LEFT JOIN remedies m ON m.kind = 'holds' AND m.code = reason
GROUP BY reason ORDER BY files DESC, reason

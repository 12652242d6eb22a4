-- Files that are left where they are; what reconciliation found, or the plan before it has run
WITH ended AS (
    SELECT source, study_uid, reason FROM reconciliation WHERE state = 'excluded'
    UNION ALL SELECT source, study_uid, reason FROM plan
    WHERE state = 'excluded' AND (SELECT count(*) FROM reconciliation) = 0
)
SELECT reason, coalesce(any_value(m.title), reason) AS title, count(*) AS files,
    list_sort(list(DISTINCT source)) AS sources
FROM ended LEFT JOIN remedies m ON m.kind = 'holds' AND m.code = reason
GROUP BY reason ORDER BY files DESC, reason

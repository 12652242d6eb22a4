-- New UIDs that can't be given, with the decision or rule they come from (parameters: cause ('' for all), wanted, skipped)
SELECT r.* REPLACE (coalesce(r.class, g.class) AS class), count(*) OVER () AS total, g.group_id, d.decision_id, d.verdict, d.who
FROM refused r LEFT JOIN duplicate_groups g ON g.group_id = r.cause LEFT JOIN (
    SELECT subject_a, max(decision_id) AS decision_id, arg_max(verdict, decision_id) AS verdict, arg_max(who, decision_id) AS who
    FROM standing WHERE kind = 'duplicate' GROUP BY subject_a) d ON d.subject_a = r.cause
WHERE $cause = '' OR r.cause = $cause
ORDER BY r.objects + r.pointing DESC, r.cause LIMIT $wanted OFFSET $skipped

-- One group of duplicates with its latest decision
SELECT g.*, d.decision_id, d.verdict, d.who, d.decided_at, waits(g.held, d.decided_at) AS waiting
FROM duplicate_groups g LEFT JOIN (
    SELECT max(decision_id) AS decision_id, arg_max(verdict, decision_id) AS verdict, arg_max(who, decision_id) AS who,
        max("at") AS decided_at
    FROM standing WHERE kind = 'duplicate' AND subject_a = $group) d ON true
WHERE g.group_id = $group

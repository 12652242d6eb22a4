-- Values that wait for a steward (or were decided by one): one row a change, as it is decided once for all its objects
SELECT change_id, any_value(source) AS source, any_value(attribute) AS attribute, any_value(before) AS before,
    any_value(after) AS after, any_value(rule) AS rule, any_value(state) AS state, count(*) AS objects,
    count(DISTINCT study_uid) AS studies, any_value(s.verdict) AS verdict, any_value(s.who) AS who,
    any_value(s.at) AS at, any_value(s.decision_id) AS decision_id
FROM changes c LEFT JOIN standing s ON s.kind = 'change' AND s.subject_a = c.change_id
WHERE c.needs = 'steward' AND c.candidates IS NULL AND ($rule = '' OR list_contains(string_split(c.rule, ' > '), $rule))
GROUP BY change_id ORDER BY objects DESC, change_id LIMIT 200

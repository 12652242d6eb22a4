-- What a person is asked to choose: one row a question, with how much the answer touches and the decision that stands
SELECT min(change_id) AS change_id, any_value(q.kind) AS kind, list_sort(list(DISTINCT source)) AS sources,
    any_value(attribute) AS attribute, list_sort(list(DISTINCT before))[:3] AS before, any_value(modalities) AS modalities,
    any_value(candidates ORDER BY change_id) AS candidates, count(*) AS objects, count(DISTINCT study_uid) AS studies,
    bool_and(state <> 'proposed') AS settled, any_value(s.verdict) AS verdict, any_value(s.subject_b) AS answer,
    any_value(s.who) AS who, any_value(s.decision_id) AS decision_id
FROM questions q LEFT JOIN standing s
    ON s.kind = q.kind AND s.subject_a = q.subject_a AND question_of(s.kind, s.subject_b) = q.question
WHERE ($rule = '' OR list_contains(string_split(q.rule, ' > '), $rule)) AND ($change = '' OR q.change_id = $change)
GROUP BY q.subject_a, q.question ORDER BY studies DESC, min(change_id) LIMIT 200

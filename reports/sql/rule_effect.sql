-- What each rule changes, and which findings that clears
SELECT rule, state, changes, objects, studies, clears, array_to_string(checks, ', ') AS checks
FROM rule_effect ORDER BY clears DESC, changes DESC, rule, state

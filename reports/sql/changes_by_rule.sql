-- Proposed and approved changes by rule, with examples
WITH examples AS (
    SELECT rule, attribute, reason, state, coalesce('“' || before || '”', 'absent') || ' → ' ||
        coalesce('“' || after || '”', 'removed') AS example, count(*) AS times
    FROM changes GROUP BY ALL
)
SELECT rule, attribute, reason, state, sum(times)::BIGINT AS changes,
    array_to_string(list_slice(list(example ORDER BY times DESC, example), 1, 3), chr(10)) AS examples
FROM examples GROUP BY rule, attribute, reason, state ORDER BY changes DESC, rule, attribute, state

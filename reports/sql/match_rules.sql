-- What each blocking rule finds: pairs of the last run that compared all records, links, and links no other rule finds
WITH last AS (
    SELECT counts FROM runs WHERE stage = 'match' AND status = 'done'
        AND coalesce(json_extract_string(counts, '$.fresh'), json_extract_string(counts, '$.records'))
            = json_extract_string(counts, '$.records')
    ORDER BY run DESC LIMIT 1
), compared AS (
    SELECT substr(key, 10) AS rule, value::BIGINT AS pairs
    FROM (SELECT unnest(json_keys(counts)) AS key, json_extract_string(counts, '$."' || key || '"') AS value FROM last)
    WHERE starts_with(key, 'pairs by ')
), found AS (
    SELECT unnest(blocked_by) AS rule, band, len(blocked_by) = 1 AS alone FROM pairs
), by_rule AS (
    SELECT rule, count(*) FILTER (band = 'link') AS linked, count(*) FILTER (band = 'link' AND alone) AS linked_alone,
        count(*) FILTER (band = 'review') AS waiting
    FROM found GROUP BY rule
)
SELECT rule, c.pairs, coalesce(linked, 0) AS linked, coalesce(linked_alone, 0) AS linked_alone, coalesce(waiting, 0) AS waiting
FROM by_rule FULL JOIN compared c USING (rule) ORDER BY c.pairs DESC NULLS LAST, rule

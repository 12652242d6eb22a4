-- What counts as not known, by source: it speaks neither for nor against
SELECT source, replace(trim(split_part(what, ':', 1)), '_', ' ') AS value, trim(split_part(what, ':', 2)) AS why,
    count(DISTINCT record_id) AS records, count(DISTINCT record_id) / any_value(total) AS share
FROM (
    SELECT source, record_id, unnest(missing) AS what, count(*) OVER (PARTITION BY source) AS total FROM (
        SELECT source, record_id, missing FROM match_records)
) GROUP BY ALL ORDER BY records DESC, source, value, why

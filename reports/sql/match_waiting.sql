-- Why pairs wait at the desk; records' identifiers in a note say the same of each
WITH open AS (
    SELECT coalesce(regexp_replace(note, ';.*$', ''), 'too likely to part, too unlikely to join') AS why, p.record_a, p.record_b, p.studies,
        a.origin = 'feed' OR b.origin = 'feed' AS indexed
    FROM pairs p LEFT JOIN match_records a ON a.record_id = p.record_a LEFT JOIN match_records b ON b.record_id = p.record_b
    WHERE p.band = 'review'
)
SELECT why, count(*) AS pairs, count(*) FILTER (indexed) AS with_index,
    (SELECT count(DISTINCT r) FROM (SELECT unnest([o.record_a, o.record_b]) AS r FROM open o WHERE o.why = open.why)) AS records
FROM open GROUP BY why ORDER BY pairs DESC, why

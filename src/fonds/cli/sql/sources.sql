-- A line an archive; `others` are index files and what can't be read, `blocking` findings hold what they concern.
WITH found AS (SELECT source, count(*) FILTER (kind = 'instance') AS instances,
                      count(*) FILTER (kind <> 'instance') AS others,
                      sum(size) AS bytes FROM inventory GROUP BY source),
     judged AS (SELECT source, count(*) AS blocking FROM findings WHERE severity = 'block' GROUP BY source),
     moved AS (SELECT source, count(*) FILTER (state = 'held') AS held, count(*) FILTER (state = 'planned') AS planned,
                      count(*) FILTER (state = 'excluded') AS excluded FROM plan GROUP BY source),
     proven AS (SELECT source, count(*) FILTER (state = 'verified') AS verified, count(*) FILTER (state = 'failed') AS failed
                FROM reconciliation GROUP BY source)
SELECT s.source, coalesce(instances, 0) AS instances, coalesce(others, 0) AS others,
    round(coalesce(bytes, 0) / 1e6, 1) AS MB, coalesce(blocking, 0) AS blocking, coalesce(planned, 0) AS planned,
    coalesce(held, 0) AS held, coalesce(excluded, 0) AS excluded, coalesce(verified, 0) AS verified, coalesce(failed, 0) AS failed
FROM sources s LEFT JOIN found USING (source) LEFT JOIN judged USING (source) LEFT JOIN moved USING (source)
    LEFT JOIN proven USING (source)
ORDER BY s.source

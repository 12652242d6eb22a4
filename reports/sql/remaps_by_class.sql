-- New UIDs by what brings them, planned or refused, and the references that follow
WITH causes AS (
    SELECT DISTINCT cause, class FROM remaps
), follows AS (
    SELECT coalesce(c.class, '-') AS class, r.state, count(*) AS rewrites FROM rewrites r LEFT JOIN causes c USING (cause) GROUP BY ALL
), named AS (
    SELECT class, state, count(DISTINCT cause) AS causes, count(DISTINCT (source, location)) AS objects,
        count(DISTINCT before) FILTER (attribute = 'StudyInstanceUID') AS studies,
        count(DISTINCT before) FILTER (attribute = 'SeriesInstanceUID') AS series,
        count(DISTINCT before) FILTER (attribute = 'SOPInstanceUID') AS sops
    FROM remaps GROUP BY ALL
)
SELECT CASE class WHEN '' THEN 'An approved change of a rule' WHEN '-' THEN 'A copy that stays behind' ELSE concat_ws(': ', class, m.title) END AS because,
    state, coalesce(causes, 0) AS causes, coalesce(objects, 0) AS objects, coalesce(studies, 0) AS studies, coalesce(series, 0) AS series,
    coalesce(sops, 0) AS sops, coalesce(rewrites, 0) AS rewrites
FROM named FULL JOIN follows USING (class, state) LEFT JOIN remedies m ON m.kind = 'duplicates' AND m.code = class
ORDER BY 1, state

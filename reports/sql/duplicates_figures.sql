-- What is there twice, and what follows; NULL (a dash) where nothing was compared
WITH compared AS (SELECT count(*) > 0 AS yes FROM duplicates), copies AS (
    SELECT count(*) AS objects, sum(i.size) AS bytes
    FROM (SELECT DISTINCT source, member FROM duplicates WHERE level = 'instance' AND disposition = 'drop-copy') d
        LEFT JOIN inventory i ON i.source = d.source AND i.location = d.member
), renamed AS (
    SELECT count(DISTINCT (source, location)) FILTER (state = 'planned') AS planned,
        count(DISTINCT cause) FILTER (state = 'refused') AS refused FROM remaps
), followed AS (
    SELECT count(*) FILTER (state = 'planned') AS planned, count(DISTINCT (source, location)) FILTER (state = 'planned') AS objects FROM rewrites
), waiting AS (
    SELECT count(DISTINCT group_id) AS waiting, count(DISTINCT study_uid) AS studies FROM duplicates WHERE disposition = 'hold'
)
SELECT 'Groups of duplicates' AS label, nullif(count(DISTINCT group_id), 0)::DOUBLE AS value, 'whole' AS format,
    CASE WHEN count(*) > 0 THEN format('{:,} files and studies in them', count(DISTINCT (source, member))) END AS note FROM duplicates
UNION ALL SELECT 'Wait for a person', CASE WHEN yes THEN waiting END::DOUBLE, 'whole',
    CASE WHEN waiting > 0 THEN format('groups, about {:,} studies', studies) END FROM compared, waiting
UNION ALL SELECT 'Copies that stay behind', CASE WHEN yes THEN objects END::DOUBLE, 'whole',
    CASE WHEN bytes > 0 THEN concat(formatReadableDecimalSize(bytes::BIGINT), ' not sent twice') END FROM compared, copies
UNION ALL SELECT 'Objects that get new UIDs', CASE WHEN yes OR planned > 0 THEN planned END::DOUBLE, 'whole',
    CASE WHEN refused > 0 THEN format('{:,} groups or rules are refused', refused) END FROM compared, renamed
UNION ALL SELECT 'References that follow', CASE WHEN yes OR planned > 0 THEN planned END::DOUBLE, 'whole',
    CASE WHEN planned > 0 THEN format('in {:,} object', objects) || CASE WHEN objects > 1 THEN 's' ELSE '' END END FROM compared, followed

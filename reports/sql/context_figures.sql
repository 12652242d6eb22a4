-- What belongs together; NULL (a dash) where no reference is known, or no feed tells of orders or reports
WITH pictured AS (
    SELECT DISTINCT study_uid FROM study_context WHERE images > 0
), told AS (
    SELECT kind, count(DISTINCT (feed, id)) AS rows, count(DISTINCT (feed, id)) FILTER (state = 'linked') AS linked,
        count(DISTINCT (feed, id)) FILTER (state = 'suggested') AS suggested FROM feed_links GROUP BY kind
)
SELECT 'References that find their object' AS label, avg((state <> 'dangling')::INTEGER)::DOUBLE AS value, 'share' AS format,
    CASE WHEN count(*) > 0 THEN format('of {:,}; {:,} in another archive', count(*), count(*) FILTER (state = 'resolved-other-archive')) END AS note
FROM links
UNION ALL SELECT 'Gaps', nullif(count(*), 0)::DOUBLE, 'whole',
    CASE WHEN count(*) > 0 THEN format('{:,} are critical', count(*) FILTER (severity = 'critical')) END FROM gaps
UNION ALL SELECT 'Studies with images', count(*)::DOUBLE, 'whole',
    CASE WHEN (SELECT count(*) FROM gaps WHERE kind = 'images-without-report') > 0 THEN format('{:,} lack a report',
        (SELECT count(DISTINCT study_uid) FROM gaps WHERE kind = 'images-without-report')) END FROM pictured
UNION ALL SELECT 'Orders that found their study', any_value(linked)::DOUBLE, 'whole',
    format('of {:,}; {:,} more are suggested', any_value(rows), any_value(suggested)) FROM told WHERE kind = 'order'
UNION ALL SELECT 'Reports of feeds that found their study', any_value(linked)::DOUBLE, 'whole',
    format('of {:,}; {:,} more are suggested', any_value(rows), any_value(suggested)) FROM told WHERE kind = 'report'
UNION ALL SELECT 'Accession numbers', nullif(count(DISTINCT accession_key), 0)::DOUBLE, 'whole',
    CASE WHEN count(*) > 0 THEN format('in {:,} spellings', count(*)) END FROM accessions WHERE accession_key IS NOT NULL

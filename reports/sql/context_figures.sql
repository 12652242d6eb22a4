-- What stands around the studies; NULL (a dash) where no feed tells of orders or reports
WITH pictured AS (
    SELECT DISTINCT study_uid FROM study_context WHERE images > 0
), told AS (
    SELECT kind, count(DISTINCT (feed, id)) AS rows, count(DISTINCT (feed, id)) FILTER (state = 'linked') AS linked,
        count(DISTINCT (feed, id)) FILTER (state = 'suggested') AS suggested FROM feed_links GROUP BY kind
)
SELECT 'Studies with images' AS label, count(*)::DOUBLE AS value, 'whole' AS format, NULL AS note FROM pictured
UNION ALL SELECT 'Without a report that is expected', count(DISTINCT study_uid)::DOUBLE, 'whole', NULL
    FROM gaps WHERE kind = 'images-without-report'
UNION ALL SELECT 'Orders that found their study', any_value(linked)::DOUBLE, 'whole',
    format('of {:,}; {:,} more are suggested', any_value(rows), any_value(suggested)) FROM told WHERE kind = 'order'
UNION ALL SELECT 'Reports of feeds that found their study', any_value(linked)::DOUBLE, 'whole',
    format('of {:,}; {:,} more are suggested', any_value(rows), any_value(suggested)) FROM told WHERE kind = 'report'
UNION ALL SELECT 'Accession numbers', count(DISTINCT accession_key)::DOUBLE, 'whole',
    format('in {:,} spellings', count(*)) FROM accessions WHERE accession_key IS NOT NULL

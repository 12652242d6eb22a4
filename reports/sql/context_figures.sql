-- What stands around the studies, in one row
SELECT (SELECT count(DISTINCT study_uid) FROM study_context WHERE images > 0) AS studies_with_images,
    (SELECT count(DISTINCT study_uid) FROM study_context WHERE images > 0 AND reports > 0) AS with_report,
    (SELECT count(DISTINCT study_uid) FROM gaps WHERE kind = 'images-without-report') AS without_report,
    (SELECT count(*) FROM feed_orders) AS orders, (SELECT count(*) FROM feed_reports) AS reports,
    (SELECT count(DISTINCT (feed, kind, id)) FROM feed_links WHERE state = 'linked') AS linked,
    (SELECT count(DISTINCT (feed, kind, id)) FROM feed_links WHERE state = 'suggested') AS suggested,
    (SELECT count(DISTINCT (feed, kind, id)) FROM feed_links WHERE state = 'none') AS unlinked,
    (SELECT count(DISTINCT accession_key) FROM accessions) AS accession_numbers,
    (SELECT count(*) FROM accessions WHERE how IN ('padding', 'prefix')) AS other_spellings

-- Where an archive's database and its files say different things, and whose word counts
SELECT source || ' / ' || index_source AS pair, attribute, kind, count(DISTINCT study_uid) AS studies, sum(instances)::BIGINT AS objects,
    array_to_string(list_sort(list(DISTINCT winner)), ', ') AS winner, count(*) FILTER (needs = 'steward') AS waiting
FROM drift GROUP BY source, index_source, attribute, kind ORDER BY studies DESC, pair, attribute, kind

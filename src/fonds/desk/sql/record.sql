-- One patient record: the values as found, its person, and the feeds that know this person
SELECT r.*, p.person_id, (
        SELECT list_sort(list(DISTINCT f.source)) FROM persons o JOIN match_records f USING (record_id)
        WHERE o.person_id = p.person_id AND f.origin = 'feed') AS registered
FROM records r LEFT JOIN persons p USING (record_id) WHERE r.record_id = $record

-- Persons by the number of their records in the archives
SELECT records, count(*) AS persons FROM (
    SELECT person_id, count(*) AS records
    FROM persons ANTI JOIN (FROM match_records WHERE origin = 'feed') USING (record_id) GROUP BY person_id
) GROUP BY records ORDER BY 1

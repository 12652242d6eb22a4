-- in whatever spelling: by the keys that the link stage gave all spellings
WITH meant AS (
    SELECT accession_key FROM accessions WHERE upper(trim(accession)) = upper(trim($name)) OR accession_key = accession_form($name)
), written AS (
    SELECT DISTINCT source, upper(trim(accession)) AS accession FROM accessions SEMI JOIN meant USING (accession_key)
), every AS (
    SELECT person_id, source, upper(trim(accession)) AS accession FROM context_objects WHERE trim(accession) <> ''
)
SELECT person_id, 'accession number in ' || string_agg(DISTINCT source, ', ' ORDER BY source) AS why
FROM every SEMI JOIN written USING (source, accession) GROUP BY person_id

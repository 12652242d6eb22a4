-- One row an instance, grouped by what makes a patient record (see record_id); missing demographics are ''.
-- What other records of the source say is looked up among the distinct records, by windows over equal keys; records of
-- which nothing is noticed have NULL. Of an ID with very many records each is compared with 200.
SELECT i.* REPLACE (coalesce(i.IssuerOfPatientID, '') AS IssuerOfPatientID, coalesce(i.PatientID, '') AS PatientID,
    coalesce(i.PatientName, '') AS PatientName, coalesce(i.PatientBirthDate, '') AS PatientBirthDate,
    coalesce(i.PatientSex, '') AS PatientSex), n.* EXCLUDE (source, IssuerOfPatientID, PatientID, PatientName, PatientBirthDate, PatientSex),
    $settings
FROM instances i LEFT JOIN sources s USING (source)
    LEFT JOIN (
        WITH records AS (
            SELECT r.*, coalesce(nullif(trim(r.IssuerOfPatientID), ''), s.issuer, '') AS issued_by, trim(PatientID) AS id,
                plain_id(PatientID) AS bare_id, plain_name(PatientName) AS name, name_pair(PatientName) AS pair, family_name(PatientName) AS first_of_pair,
                upper(strip_accents(trim(regexp_extract(PatientName, '^[^\^,]*')))) AS family,
                CASE WHEN $valid_birth_date AND PatientBirthDate NOT IN $default_birth_dates THEN PatientBirthDate END AS birth,
                CASE WHEN PatientSex IN ('M', 'F') THEN PatientSex END AS sex
            FROM (
                SELECT DISTINCT source, coalesce(IssuerOfPatientID, '') AS IssuerOfPatientID, coalesce(PatientID, '') AS PatientID,
                    coalesce(PatientName, '') AS PatientName, coalesce(PatientBirthDate, '') AS PatientBirthDate,
                    coalesce(PatientSex, '') AS PatientSex
                FROM instances
            ) r LEFT JOIN sources s USING (source)
        ), faces AS (
            SELECT *, row_number() OVER (PARTITION BY source, id ORDER BY birth, family) AS place
            FROM (SELECT DISTINCT source, id, birth, family FROM records WHERE id <> '' AND family <> '' AND birth IS NOT NULL)
        ), rivals AS (
            SELECT a.source, a.id, a.birth, a.family, min(jaro_winkler_similarity(a.family, b.family)) AS least_similar_family
            FROM faces a JOIN faces b ON a.source = b.source AND a.id = b.id AND a.birth <> b.birth AND b.place <= 200
            GROUP BY ALL
        ), seen AS (
            SELECT *,
                -- an ID without a digit, or of one character repeated, stands for nobody
                CASE WHEN regexp_matches(bare_id, '[0-9]') AND replace(bare_id, left(bare_id, 1), '') <> '' THEN bare_id END AS own_id,
                CASE WHEN contains(name, ' ') THEN name END AS whole_name
            FROM records
        ), told AS (
            SELECT *,
                bare_id IS NOT NULL AND coalesce(birth IS NOT NULL AND min(id) OVER by_birth <> max(id) OVER by_birth, false)
                    OR bare_id IS NOT NULL AND coalesce(name IS NOT NULL AND min(id) OVER by_name <> max(id) OVER by_name, false)
                    AS id_spelled_otherwise,
                own_id IS NOT NULL AND whole_name IS NOT NULL AND birth IS NOT NULL AND min(own_id) OVER person <> max(own_id) OVER person
                    AS has_other_id,
                pair IS NOT NULL AND (id <> '' AND min(first_of_pair) OVER id_pair <> max(first_of_pair) OVER id_pair
                    OR birth IS NOT NULL AND min(first_of_pair) OVER birth_pair <> max(first_of_pair) OVER birth_pair) AS name_swapped,
                own_id IS NOT NULL AND name IS NOT NULL AND min(birth) OVER id_name <> max(birth) OVER id_name AS birth_dates_differ,
                own_id IS NOT NULL AND name IS NOT NULL AND min(sex) OVER id_name <> max(sex) OVER id_name AS sexes_differ
            FROM seen
            WINDOW by_birth AS (PARTITION BY source, issued_by, bare_id, birth), by_name AS (PARTITION BY source, issued_by, bare_id, name),
                person AS (PARTITION BY source, issued_by, whole_name, birth, sex), id_pair AS (PARTITION BY source, id, pair),
                birth_pair AS (PARTITION BY source, birth, pair), id_name AS (PARTITION BY source, issued_by, own_id, name)
        )
        SELECT t.source, t.IssuerOfPatientID, t.PatientID, t.PatientName, t.PatientBirthDate, t.PatientSex, r.least_similar_family,
            t.id_spelled_otherwise, t.has_other_id, t.name_swapped, t.birth_dates_differ, t.sexes_differ
        FROM told t LEFT JOIN rivals r ON r.source = t.source AND r.id = t.id AND r.birth = t.birth AND r.family = t.family
        WHERE r.least_similar_family IS NOT NULL OR id_spelled_otherwise OR has_other_id OR name_swapped OR birth_dates_differ OR sexes_differ
    ) n ON n.source = i.source AND n.PatientID = coalesce(i.PatientID, '')
        AND n.IssuerOfPatientID = coalesce(i.IssuerOfPatientID, '') AND n.PatientName = coalesce(i.PatientName, '')
        AND n.PatientBirthDate = coalesce(i.PatientBirthDate, '') AND n.PatientSex = coalesce(i.PatientSex, '')
WHERE $of_a_patient

-- Events (`told`: of patients, `merging`: of identifiers) as the state they lead to. Later ones win; without a time, in
-- the order of the feed.
CREATE TABLE feed_merges AS
WITH merges AS (
    SELECT * FROM merging
    WHERE kind = 'merge' AND patient_id <> '' AND retired_id <> ''
        AND (issuer, patient_id) IS DISTINCT FROM (retired_issuer, retired_id)
    QUALIFY row_number() OVER (PARTITION BY retired_issuer, retired_id ORDER BY happened DESC NULLS LAST, seq DESC) = 1
), partings AS (
    -- said of a pair, in either direction; without the other, of whatever the identifier was merged into
    SELECT retired_issuer, retired_id, issuer, patient_id, happened, seq FROM merging WHERE kind = 'unmerge'
    UNION ALL
    SELECT issuer, patient_id, retired_issuer, retired_id, happened, seq FROM merging
    WHERE kind = 'unmerge' AND patient_id IS NOT NULL
)
SELECT m.retired_issuer, m.retired_id, m.issuer, m.patient_id, m.changed AS "at", m.event
FROM merges m
WHERE NOT EXISTS (FROM partings p WHERE p.retired_issuer = m.retired_issuer AND p.retired_id = m.retired_id
    AND (p.patient_id IS NULL OR (p.issuer = m.issuer AND p.patient_id = m.patient_id))
    AND (coalesce(p.happened, 'epoch'), p.seq) > (coalesce(m.happened, 'epoch'), m.seq));
-- Nearly all patients are told once: only the others are put together field by field.
CREATE TABLE several AS SELECT issuer, patient_id FROM told GROUP BY ALL HAVING count(*) > 1;
CREATE TABLE feed_patients AS
WITH whole AS (
    SELECT * EXCLUDE (seq, happened) FROM told ANTI JOIN several USING (issuer, patient_id)
    UNION ALL BY NAME
    -- arg_max passes over NULL: what the last event doesn't tell stays as it was
    SELECT issuer, patient_id, arg_max(kind, place) AS kind, arg_max(changed, place) AS changed,
        arg_max(PatientName, place) AS PatientName, arg_max(PatientBirthName, place) AS PatientBirthName,
        arg_max(PatientBirthDate, place) AS PatientBirthDate, arg_max(PatientSex, place) AS PatientSex,
        arg_max(phone, place) AS phone, arg_max(street, place) AS street, arg_max(postcode, place) AS postcode,
        arg_max(city, place) AS city, arg_max(mother, place) AS mother, arg_max(national_id, place) AS national_id,
        arg_max(other_ids, place) AS other_ids, arg_max(status, place) AS status, arg_max(deceased, place) AS deceased,
        arg_max(multiple_birth, place) AS multiple_birth
    FROM (SELECT *, row(coalesce(happened, 'epoch'), seq) AS place FROM told SEMI JOIN several USING (issuer, patient_id))
    GROUP BY issuer, patient_id
)
SELECT w.issuer, w.patient_id, nullif(PatientName, '') AS PatientName, nullif(PatientBirthName, '') AS PatientBirthName,
    nullif(PatientBirthDate, '') AS PatientBirthDate, nullif(PatientSex, '') AS PatientSex, nullif(phone, '') AS phone,
    nullif(street, '') AS street, nullif(postcode, '') AS postcode, nullif(city, '') AS city, nullif(mother, '') AS mother,
    nullif(national_id, '') AS national_id, other_ids, nullif(deceased, '') AS deceased,
    nullif(multiple_birth, '')::BOOLEAN AS multiple_birth,
    CASE WHEN m.retired_id IS NOT NULL THEN 'merged' ELSE coalesce(nullif(status, ''), 'active') END AS status, changed
FROM whole w LEFT JOIN feed_merges m ON m.retired_issuer = w.issuer AND m.retired_id = w.patient_id
WHERE kind = 'upsert';

-- One row a patient record, of archives and feeds. Of several approved values in one record the most frequent counts, then
-- the smallest. Other IDs of a record whose Patient ID was changed belong to whom it was taken from: they are left out.
WITH rows AS (
    SELECT r.record_id, e.source, e.StudyInstanceUID AS study, e.StudyDate, e.PatientAge,
        nullif(trim(e.IssuerOfPatientID), '') AS issuer, e.PatientID, e.PatientName, e.PatientBirthName,
        e.PatientBirthDate, e.PatientSex,
        CASE WHEN r.record_id = r.raw_record_id THEN e.OtherPatientIDsItems END AS other_ids
    FROM effective e JOIN instance_records r USING (source, location)
), counted AS (
    SELECT record_id, source, issuer, PatientID, PatientName, PatientBirthName, PatientBirthDate, PatientSex,
        count(*) AS files
    FROM rows GROUP BY ALL
), chosen AS (
    SELECT * FROM counted
    QUALIFY row_number() OVER (PARTITION BY record_id ORDER BY files DESC, issuer NULLS LAST, PatientID NULLS LAST,
        PatientName NULLS LAST, PatientBirthDate NULLS LAST, PatientSex NULLS LAST, PatientBirthName NULLS LAST) = 1
), held AS (
    SELECT record_id, max(StudyDate) FILTER (regexp_full_match(StudyDate, '[0-9]{8}')) AS last_study,
        list_sort(list(DISTINCT study) FILTER (trim(study) <> '')) AS studies,
        -- the age told with the first examination: registration desks that know only an age make a birth date of it
        min([StudyDate, PatientAge])
            FILTER (regexp_full_match(StudyDate, '[0-9]{8}') AND regexp_full_match(PatientAge, '[0-9]{3}Y')) AS aged
    FROM rows GROUP BY record_id
), others AS (
    SELECT record_id, list_sort(list(DISTINCT item)) AS other_ids
    FROM (SELECT record_id, unnest(other_ids) AS item FROM rows) GROUP BY record_id
)
SELECT c.record_id, 'archive' AS origin, c.source, coalesce(c.issuer, nullif(s.issuer, ''), 'source ' || c.source) AS issuer,
    c.PatientID, c.PatientName, c.PatientBirthName, c.PatientBirthDate, c.PatientSex,
    NULL AS phone, NULL AS street, NULL AS postcode, NULL AS city, NULL AS mother, NULL AS national_id,
    o.other_ids, h.last_study, h.aged[1] AS aged_at, h.aged[2] AS age, s.date_order, coalesce(h.studies, []) AS studies
FROM chosen c JOIN held h USING (record_id) LEFT JOIN others o USING (record_id) LEFT JOIN sources s ON s.source = c.source
UNION ALL
SELECT 'F' || left(sha256(concat_ws('|', feed, issuer, patient_id)), 16), 'feed', feed,
    coalesce(nullif(trim(issuer), ''), 'feed ' || feed), patient_id, PatientName, PatientBirthName, PatientBirthDate, PatientSex,
    phone, street, postcode, city, mother, national_id, other_ids, NULL, NULL, NULL, NULL, []
FROM feed_patients

-- One row a patient record. Of several approved values in one record the most frequent counts, then the smallest.
WITH rows AS (
    SELECT r.record_id, e.source, e.location, e.StudyInstanceUID AS study, e.StudyDate,
        nullif(trim(e.IssuerOfPatientID), '') AS issuer, e.PatientID, e.PatientName, e.PatientBirthName,
        e.PatientBirthDate, e.PatientSex
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
        list_sort(list(DISTINCT study) FILTER (trim(study) <> '')) AS studies
    FROM rows GROUP BY record_id
)
SELECT c.record_id, c.source, coalesce(c.issuer, nullif(s.issuer, ''), 'source ' || c.source) AS issuer, c.PatientID,
    c.PatientName, c.PatientBirthName, c.PatientBirthDate, c.PatientSex, h.last_study, coalesce(h.studies, []) AS studies
FROM chosen c JOIN held h USING (record_id) LEFT JOIN sources s ON s.source = c.source

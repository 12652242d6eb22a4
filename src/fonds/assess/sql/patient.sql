-- One row an instance, grouped by what makes a patient record (see record_id); missing demographics are ''.
-- least_similar_family compares the record with the others of its source and Patient ID whose valid birth date is another.
WITH named AS (
    SELECT DISTINCT source, PatientID, PatientName, PatientBirthDate, trim(PatientID) AS id,
        upper(strip_accents(trim(regexp_extract(PatientName, '^[^\^,]*')))) AS family
    FROM instances
    WHERE trim(PatientID) <> '' AND $valid_birth_date AND PatientBirthDate NOT IN $default_birth_dates
), rivals AS (
    SELECT a.source, a.PatientID, a.PatientName, a.PatientBirthDate,
        min(jaro_winkler_similarity(a.family, b.family)) AS least_similar_family
    FROM named a JOIN named b ON a.source = b.source AND a.id = b.id AND a.PatientBirthDate <> b.PatientBirthDate
    WHERE a.family <> '' AND b.family <> ''
    GROUP BY ALL
)
SELECT i.* REPLACE (coalesce(i.IssuerOfPatientID, '') AS IssuerOfPatientID, coalesce(i.PatientID, '') AS PatientID,
    coalesce(i.PatientName, '') AS PatientName, coalesce(i.PatientBirthDate, '') AS PatientBirthDate,
    coalesce(i.PatientSex, '') AS PatientSex), r.least_similar_family, $settings
FROM instances i LEFT JOIN sources s USING (source)
    LEFT JOIN rivals r ON r.source = i.source AND r.PatientID = i.PatientID AND r.PatientName = i.PatientName
        AND r.PatientBirthDate = i.PatientBirthDate

-- One row an instance; an empty Study Instance UID is ''. Who else uses the accession number, and what was done on the
-- same day, is looked up among the distinct examinations; where nothing is noticed it is NULL.
-- What an index says otherwise: see docs/drift.md.
SELECT i.* REPLACE (CASE WHEN trim(coalesce(i.StudyInstanceUID, '')) = '' THEN '' ELSE i.StudyInstanceUID END
    AS StudyInstanceUID), n.accession_patients, n.accession_studies, n.same_day_studies,
    CASE WHEN t.source IS NOT NULL THEN coalesce(d.index_differs, '') END AS index_differs,
    CASE WHEN t.source IS NOT NULL THEN coalesce(d.index_counts, '') END AS index_counts,
    CASE WHEN t.source IS NOT NULL THEN coalesce(d.index_lacks, 0) END AS index_lacks, $settings
FROM instances i LEFT JOIN sources s USING (source)
    LEFT JOIN (SELECT DISTINCT source FROM drift) t USING (source)
    LEFT JOIN (
        WITH exams AS (
            SELECT source, StudyInstanceUID AS study, AccessionNumber, nullif(trim(AccessionNumber), '') AS accession,
                nullif(trim(PatientID), '') AS patient, nullif(trim(StudyDate), '') AS day,
                nullif(plain_words(StudyDescription), '') AS description, CASE WHEN Modality NOT IN $derived THEN Modality END AS modality
            FROM (
                SELECT DISTINCT source, CASE WHEN trim(coalesce(StudyInstanceUID, '')) = '' THEN '' ELSE StudyInstanceUID END
                    AS StudyInstanceUID, AccessionNumber, PatientID, StudyDate, StudyDescription, Modality
                FROM instances
            )
        ), orders AS (
            SELECT source, accession, count(DISTINCT patient) AS accession_patients FROM exams
            WHERE accession IS NOT NULL GROUP BY ALL HAVING min(patient) <> max(patient)
        ), parted AS (
            SELECT source, accession, patient, modality, count(DISTINCT study) AS accession_studies FROM exams
            WHERE accession IS NOT NULL AND patient IS NOT NULL AND modality IS NOT NULL GROUP BY ALL HAVING min(study) <> max(study)
        ), repeated AS (
            SELECT source, patient, day, description, modality, count(DISTINCT study) AS same_day_studies FROM exams
            WHERE patient IS NOT NULL AND day IS NOT NULL AND description IS NOT NULL AND modality IS NOT NULL
            GROUP BY ALL HAVING min(study) <> max(study) AND count(DISTINCT accession) < count(DISTINCT study)
        )
        SELECT e.source, e.study, e.AccessionNumber, max(accession_patients) AS accession_patients,
            max(accession_studies) AS accession_studies, max(same_day_studies) AS same_day_studies
        FROM exams e LEFT JOIN orders USING (source, accession) LEFT JOIN parted USING (source, accession, patient, modality)
            LEFT JOIN repeated USING (source, patient, day, description, modality)
        WHERE accession_patients IS NOT NULL OR accession_studies IS NOT NULL OR same_day_studies IS NOT NULL
        GROUP BY ALL
    ) n ON n.source = i.source AND n.AccessionNumber IS NOT DISTINCT FROM i.AccessionNumber
        AND n.study = CASE WHEN trim(coalesce(i.StudyInstanceUID, '')) = '' THEN '' ELSE i.StudyInstanceUID END
    LEFT JOIN (
        SELECT source, study_uid,
            coalesce(string_agg(DISTINCT attribute, ' ' ORDER BY attribute) FILTER (kind IN ('differs', 'index-disagrees')), '')
                AS index_differs,
            coalesce(min(concat(file_value, ' files, ', index_value, ' told')) FILTER (kind = 'count-differs'), '') AS index_counts,
            count(*) FILTER (kind = 'only-in-files') AS index_lacks
        FROM drift GROUP BY source, study_uid
    ) d ON d.source = i.source AND d.study_uid = trim(i.StudyInstanceUID)
WHERE $of_a_patient

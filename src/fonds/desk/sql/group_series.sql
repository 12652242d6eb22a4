-- The series of studies side by side (parameters: studies, wanted), with what each holds
SELECT StudyInstanceUID AS study_uid, SeriesInstanceUID AS series_uid, min(Modality) AS modality, min(SeriesNumber) AS number,
    min(SeriesDescription) AS description, count(DISTINCT SOPInstanceUID) AS objects
FROM instances WHERE StudyInstanceUID IN (SELECT unnest($studies)) GROUP BY StudyInstanceUID, SeriesInstanceUID
QUALIFY row_number() OVER (PARTITION BY StudyInstanceUID ORDER BY try_cast(min(SeriesNumber) AS BIGINT), SeriesInstanceUID) <= $wanted
ORDER BY study_uid, try_cast(number AS BIGINT), series_uid

-- One row an instance; an empty Series Instance UID is ''.
SELECT i.* REPLACE (CASE WHEN trim(coalesce(i.SeriesInstanceUID, '')) = '' THEN '' ELSE i.SeriesInstanceUID END
    AS SeriesInstanceUID), $kind, $settings
FROM instances i LEFT JOIN sources s USING (source)
WHERE $of_a_patient

-- Rows of a table of reports as `numbers` reads them: their codes and times understood. Of a value (OBX-5) only what
-- kind of thing it is stays, and a Study Instance UID.
CREATE VIEW rows AS
WITH observed AS (
    SELECT *, upper("OBX-3") AS observation, upper("OBX-2") AS type FROM told_rows
), coded AS (
    SELECT *, split_part(observation, '^', 1) IN ('110180', '113014') OR regexp_matches(observation, 'STUDY[ _]?(INSTANCE)?[ _]?UID')
            AS names_study,
        report_status(word(status)) AS stated, report_status(word("OBR-25")) AS resulting,
        observation_status(word("OBX-11")) AS observing, report_form(upper(trim(form))) AS told_form,
        coalesce(nullif(changed, ''), issued) AS moved, told_time(coalesce(nullif(issued, ''), "OBR-7")) AS issued_at
    FROM observed
)
SELECT * EXCLUDE (status, stated, "OBR-25", resulting, "OBX-11", observing, form, told_form, issued, issued_at, observation, said,
        names_study, type, "OBR-7", "OBX-2", "OBX-3", "OBX-5", "MSH-9"),
    CASE WHEN names_study THEN regexp_extract("OBX-5", '[0-9]+(\.[0-9]+)+') ELSE '' END AS observed_uid,
    CASE WHEN contains(observation, 'ADDEND') AND said = 'final' THEN 'amended' ELSE said END AS status,
    '?' IN (stated, resulting, observing, told_form) AS odd_code, issued_at = '?' AS odd_time,
    given(CASE issued_at WHEN '?' THEN '' ELSE issued_at END) AS issued,
    CASE WHEN told_form NOT IN ('', '?') THEN list_position(['link', 'text', 'pdf'], told_form)
        WHEN names_study OR "OBX-5" IN ('', '""') THEN 0
        WHEN type = 'ED' THEN CASE WHEN contains(upper(left("OBX-5", 100)), 'PDF') OR contains("OBX-5", '^JVBERi') THEN 3 ELSE 2 END
        WHEN type = 'RP' OR regexp_matches("OBX-5", '^(?i:https?://)\S+$') THEN 1
        WHEN starts_with("OBX-5", 'JVBERi') THEN 3 WHEN type IN ('', 'TX', 'FT', 'ST', 'CF') THEN 2 ELSE 0 END AS form
FROM (SELECT *, coalesce(nullif(nullif(stated, ''), '?'), nullif(nullif(resulting, ''), '?'), nullif(nullif(observing, ''), '?')) AS said
    FROM coded) WHERE NOT other_message("MSH-9");

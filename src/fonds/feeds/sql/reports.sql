-- Events of reports (`keyed`) as the reports they lead to: of preliminary, final and corrected ones the last final counts.
CREATE TABLE codes AS SELECT filler_key, min(code) AS only_code FROM keyed WHERE filler_key IS NOT NULL AND report_id = ''
GROUP BY filler_key HAVING min(code) = max(code) AND count(*) > count(code);
CREATE TABLE named AS
SELECT k.*, CASE WHEN report_id <> '' THEN report_id
        ELSE coalesce(filler_key, accession, placer_key) || coalesce('^' || nullif(coalesce(code, only_code), ''), '') END AS base,
    CASE WHEN report_id <> '' THEN [report_id] WHEN filler_key IS NOT NULL AND events() THEN []
        WHEN filler_key IS NULL AND accession IS NOT NULL THEN [accession_issuer, issuer, patient_id]
        ELSE [issuer, patient_id] END AS apart
FROM keyed k LEFT JOIN codes USING (filler_key);
DROP TABLE keyed;
-- A row that tells no patient is of the only one that is told.
CREATE TABLE owners AS SELECT base, min(issuer) AS only_issuer, min(patient_id) AS only_patient FROM named
GROUP BY base HAVING count(*) > count(patient_id) AND min(patient_id) = max(patient_id) AND min(issuer) = max(issuer);
CREATE TABLE told_reports AS
SELECT n.* REPLACE (list_transform(apart, lambda x, i: coalesce(x, CASE len(apart) - i WHEN 0 THEN only_patient ELSE only_issuer END)) AS apart)
FROM named n LEFT JOIN owners USING (base);
DROP TABLE named;
CREATE TABLE feed_reports AS
WITH lives AS (
    SELECT base, apart, max(place) FILTER (status = 'cancelled') AS cancelled_at FROM told_reports GROUP BY ALL
), since AS (
    SELECT *, CASE WHEN status IN ('final', 'amended') AND alive THEN place END AS signed_at
    FROM (SELECT t.*, cancelled_at, coalesce(place > cancelled_at, true) AS alive FROM told_reports t JOIN lives USING (base, apart))
), reports AS (
    SELECT base, apart, arg_max(issuer, place) AS issuer, arg_max(patient_id, place) AS patient_id,
        arg_max(accession, place) AS accession, arg_max(accession_issuer, place) FILTER (accession IS NOT NULL) AS accession_issuer,
        arg_max(placer, place) AS placer_order, arg_max(filler, place) AS filler_order, arg_max(study_uid, place) AS study_uid,
        arg_max(code, place) AS code, arg_max(description, place) AS description, arg_max(modality, place) AS modality,
        coalesce(arg_max(issued, signed_at), arg_max(issued, place)) AS issued,
        CASE WHEN bool_or(alive AND status = 'amended') THEN 'amended' WHEN bool_or(alive AND status = 'final') THEN 'final'
            WHEN bool_or(alive AND status = 'preliminary') THEN 'preliminary' WHEN max(cancelled_at) IS NOT NULL THEN 'cancelled'
            WHEN bool_or(status IS NULL) THEN 'unknown' ELSE 'absent' END AS status,
        ['none', 'link', 'text', 'pdf'][1 + coalesce(max(form) FILTER (alive), max(form), 0)] AS form,
        arg_max(changed, place) AS changed, min(place) AS first_place
    FROM since GROUP BY base, apart
)
SELECT base || again(row_number() OVER (PARTITION BY base ORDER BY first_place)) AS report_id,
    coalesce(issuer, '') AS issuer, patient_id, accession, accession_issuer, placer_order, filler_order,
    nullif(study_uid, '') AS study_uid, nullif(code, '') AS code, nullif(description, '') AS description,
    nullif(modality, '') AS modality, nullif(issued, '') AS issued, status, form, changed
FROM reports;

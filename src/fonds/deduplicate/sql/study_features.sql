-- What is known of every study (a person's part of one, see study_persons.sql), from `told_objects` (approved values, UIDs as they are). `derived_modalities` and
-- `document_modalities` (modality) and the settings come from matchers/study.yaml.
-- Seconds since 1970 of a date (DA) and a time (TM, PS3.5 6.2), punctuation as in ACR-NEMA aside; NULL where one is none.
CREATE OR REPLACE TEMP MACRO digits(x) AS nullif(regexp_replace(split_part(x, '.', 1), '[^0-9]', '', 'g'), '');
CREATE OR REPLACE TEMP MACRO day_of(x) AS epoch(try_strptime(nullif(regexp_replace(x, '[^0-9]', '', 'g'), ''), '%Y%m%d'))::BIGINT // 86400;
CREATE OR REPLACE TEMP MACRO second_of(x) AS epoch(try_strptime(rpad(left(digits(x), 6), 6, '0'), '%H%M%S'))::BIGINT % 86400;
CREATE OR REPLACE TEMP MACRO moment(d, t) AS day_of(d) * 86400 + second_of(t);
-- The groups of all objects are made once, by series; everything about studies follows from that.
CREATE TEMP TABLE study_series AS
SELECT source, study_uid, series_uid, count(DISTINCT hash(sop_uid)) AS objects, count(*) FILTER (pixel_length IS NOT NULL) AS pictures,
    nullif(trim(min(Modality)), '') AS modality, min(SeriesNumber) AS number, min(SeriesDescription) AS description,
    concat_ws('x', min("Rows"), min("Columns"), min(SliceThickness), min(ImageOrientationPatient)) AS geometry,
    min(StudyDate) AS study_date, min(StudyTime) AS study_time, min(StudyID) AS study_id,
    min(coalesce(nullif(StudyDescription, ''), nullif(RequestedProcedureDescription, ''), PerformedProcedureStepDescription)) AS study_description,
    min(AccessionNumber) AS accession, max(AccessionNumber) AS accession_too, min(IssuerOfAccessionNumberEntityID) AS accession_issuer,
    min(StationName) AS station, min(DeviceSerialNumber) AS serial, min(BodyPartExamined) AS body_part,
    list(DISTINCT side) FILTER (side IN ('L', 'R')) AS sides
FROM (SELECT *, left(upper(trim(coalesce(nullif(trim(ImageLaterality), ''), Laterality))), 1) AS side FROM told_objects)
GROUP BY source, study_uid, series_uid;
CREATE TEMP TABLE study_features AS
WITH joined AS (
    SELECT study_uid, list_sort(list(DISTINCT source)) AS sources, sum(pictures) AS pictures,
        min(day_of(study_date)) AS day,
        -- midnight is what systems write that know no time
        min(nullif(second_of(study_time), 0)) AS second,
        min(plain_words(study_description)) FILTER (plain_words(study_description) <> '') AS description,
        min(plain_id(study_id)) AS study_id,
        list(DISTINCT modality) FILTER (modality <> '') AS modalities,
        list(DISTINCT plain_words(station)) FILTER (plain_words(station) <> '') AS stations,
        list(DISTINCT plain_id(serial)) FILTER (plain_id(serial) IS NOT NULL) AS serials,
        list(DISTINCT plain_words(body_part)) FILTER (plain_words(body_part) <> '') AS body_parts,
        list_distinct(flatten(list(sides) FILTER (sides IS NOT NULL))) AS sides,
        bool_and(modality IN (FROM document_modalities)) AS documents,
        bool_and(modality IN (FROM derived_modalities) OR modality IN (FROM document_modalities)) AS derived
    FROM study_series GROUP BY study_uid
)
SELECT *, day * 86400 + second AS start FROM joined;
-- Accession numbers of studies. One that many persons, or many days, share in one archive is a placeholder or the number
-- of a case: it says nothing.
CREATE TEMP TABLE study_accessions AS
WITH told AS (
    SELECT DISTINCT source, study_uid, unnest([accession, accession_too]) AS accession, trim(coalesce(accession_issuer, '')) AS own_issuer
    FROM study_series
), keyed AS (
    SELECT DISTINCT t.study_uid, t.source, trim(accession) AS accession, plain_id(accession) AS key,
        coalesce(nullif(own_issuer, ''), nullif(s.accession_issuer, '')) AS issuer
    FROM told t LEFT JOIN sources s ON s.source = t.source WHERE plain_id(accession) IS NOT NULL
), placeholders AS (
    SELECT k.source, key FROM keyed k JOIN record_studies r ON r.source = k.source AND r.part = k.study_uid
        JOIN study_features f ON f.study_uid = k.study_uid GROUP BY k.source, key
    HAVING count(DISTINCT whose) >= getvariable('study_placeholder_persons') OR count(DISTINCT f.day) >= getvariable('study_placeholder_days')
)
SELECT study_uid, accession, key, issuer, CASE WHEN length(core) >= 3 THEN core ELSE key END AS core
FROM (SELECT *, regexp_replace(key, '^\p{L}+', '') AS core FROM keyed ANTI JOIN placeholders USING (source, key))

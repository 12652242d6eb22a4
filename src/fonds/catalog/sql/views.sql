-- Roll-ups every stage and analyst shares. Values are raw (as the source said) unless the name says effective.
CREATE OR REPLACE MACRO record_id(source, issuer, patient_id, patient_name, birth_date, sex) AS
    'R' || left(sha256(concat_ws('|', source, coalesce(issuer, ''), coalesce(patient_id, ''),
        coalesce(patient_name, ''), coalesce(birth_date, ''), coalesce(sex, ''))), 16);
-- What the sources said, also on a connection whose `instances` has approved changes applied (the store redefines it there).
CREATE OR REPLACE VIEW raw_instances AS FROM instances;
-- Which record an object belongs to. Records are told by raw values, so that no approved spelling renumbers them. But an
-- object whose approved Patient ID, or issuer where it had one, is another is another patient's: such objects have a record
-- of their own. An issuer that only came out of the ID (RAD^4711) moves nobody. `raw_record_id` goes by raw values alone:
-- what is said of the source as it is, as findings are, names these.
CREATE OR REPLACE VIEW instance_records AS
WITH moved AS (
    SELECT DISTINCT source, location FROM changes
    WHERE state = 'approved' AND attribute IN ('PatientID', 'IssuerOfPatientID')
        -- a CASE, so that the dear comparison is made last: issuers are filled in by the million
        AND CASE WHEN attribute = 'IssuerOfPatientID' AND trim(coalesce("before", '')) = '' THEN false
            ELSE plain_id("before") IS DISTINCT FROM plain_id(after) END
), told AS (
    SELECT source, location, max(coalesce(after, '')) FILTER (attribute = 'PatientID') AS patient_id,
        max(coalesce(after, '')) FILTER (attribute = 'IssuerOfPatientID') AS issuer
    FROM changes SEMI JOIN moved USING (source, location)
    WHERE state = 'approved' AND attribute IN ('PatientID', 'IssuerOfPatientID')
    GROUP BY source, location
), held AS (
    SELECT i.source, i.location, i.StudyInstanceUID, i.SOPInstanceUID, i.PatientID, t.source IS NOT NULL AS moved,
        coalesce(t.patient_id, i.PatientID, '') AS new_id, coalesce(t.issuer, i.IssuerOfPatientID, '') AS new_issuer,
        record_id(i.source, i.IssuerOfPatientID, i.PatientID, i.PatientName, i.PatientBirthDate, i.PatientSex) AS raw_record_id
    FROM raw_instances i LEFT JOIN told t USING (source, location)
)
SELECT source, location, StudyInstanceUID AS study_uid, SOPInstanceUID AS sop_uid,
    CASE WHEN NOT moved OR plain_words(PatientID) IN (plain_words(new_issuer || ' ' || new_id), plain_words(new_id || ' ' || new_issuer))
        THEN raw_record_id
        ELSE 'R' || left(sha256(concat_ws('|', raw_record_id, trim(new_issuer), trim(new_id))), 16) END AS record_id,
    raw_record_id
FROM held;
CREATE OR REPLACE VIEW patient_records AS
SELECT r.record_id, source, coalesce(any_value(i.IssuerOfPatientID), '') AS issuer, any_value(i.PatientID) AS PatientID,
    any_value(i.PatientName) AS PatientName, any_value(i.PatientBirthDate) AS PatientBirthDate,
    any_value(i.PatientSex) AS PatientSex, count(*) AS instances, count(DISTINCT i.StudyInstanceUID) AS studies,
    min(i.StudyDate) AS first_study, max(i.StudyDate) AS last_study
FROM raw_instances i JOIN instance_records r USING (source, location)
GROUP BY r.record_id, source;
CREATE OR REPLACE VIEW series AS
SELECT source, StudyInstanceUID, SeriesInstanceUID, min(Modality) AS Modality, min(SeriesDescription) AS SeriesDescription,
    min(BodyPartExamined) AS BodyPartExamined, count(*) AS instances, sum(size) AS bytes
FROM instances GROUP BY source, StudyInstanceUID, SeriesInstanceUID;
CREATE OR REPLACE VIEW studies AS
SELECT source, StudyInstanceUID, min(StudyDate) AS StudyDate, min(StudyTime) AS StudyTime,
    min(StudyDescription) AS StudyDescription, min(AccessionNumber) AS AccessionNumber,
    list_sort(list(DISTINCT Modality) FILTER (Modality IS NOT NULL)) AS modalities,
    count(DISTINCT SeriesInstanceUID) AS series, count(*) AS instances, sum(size) AS bytes,
    min(PatientID) AS PatientID, min(PatientName) AS PatientName
FROM instances GROUP BY source, StudyInstanceUID;
CREATE OR REPLACE VIEW inventory AS
SELECT source, location, size, 'instance' AS kind FROM instances
UNION ALL
SELECT source, location, size, 'unreadable' AS kind FROM unreadable
UNION ALL
SELECT source, location, size, 'index' AS kind FROM entries WHERE level = 'MEDIA';
CREATE OR REPLACE VIEW index_studies AS
SELECT source, origin, study_uid, record, note, attributes->>'PatientID' AS PatientID,
    attributes->>'PatientName' AS PatientName, attributes->>'StudyDate' AS StudyDate,
    attributes->>'AccessionNumber' AS AccessionNumber, attributes->>'StudyDescription' AS StudyDescription,
    attributes->>'ModalitiesInStudy' AS ModalitiesInStudy,
    try_cast(attributes->>'NumberOfStudyRelatedSeries' AS BIGINT) AS series,
    try_cast(attributes->>'NumberOfStudyRelatedInstances' AS BIGINT) AS instances
FROM entries WHERE level = 'STUDY';
-- One identifier with two people's demographics: two records that it holds, what of them contradicts (comparison and the
-- level reached, the strongest first), and how many studies the plan holds until the source has told them apart.
CREATE OR REPLACE VIEW overlays AS
SELECT CASE WHEN a.source = b.source THEN a.source ELSE concat(a.source, ', ', b.source) END AS source, a.issuer,
    a.PatientID AS patient_id, p.record_a, p.record_b,
    list_transform(list_sort(list_transform(list_filter(
        from_json(p.evidence, '[{"comparison": "VARCHAR", "label": "VARCHAR", "weight": "DOUBLE"}]'),
        lambda x: x.weight < 0 AND x.comparison NOT IN ('prior', 'name order')),
        lambda x: {'weight': x.weight, 'said': x.comparison || ': ' || x.label})), lambda x: x.said) AS contradicts,
    p.studies
FROM pairs p JOIN match_records a ON a.record_id = p.record_a JOIN match_records b ON b.record_id = p.record_b
WHERE p.outcome = 'overlay' AND p.band <> 'link';
CREATE OR REPLACE VIEW plan_studies AS
SELECT source, study_uid, min(wave) AS wave, min(sequence) AS sequence,
    CASE WHEN bool_or(state = 'held') THEN 'held' WHEN bool_or(state = 'planned') THEN 'planned' ELSE 'excluded' END AS state,
    list_sort(list(DISTINCT reason) FILTER (reason IS NOT NULL)) AS reasons, count(*) AS instances
FROM plan GROUP BY source, study_uid

-- Every reference once, resolved by the finest UID it gives: object, else series, study, frame of reference.
CREATE TEMP TABLE edges AS
WITH pointing AS (
    SELECT source, location, SOPInstanceUID AS from_sop_uid, StudyInstanceUID AS study_uid, unnest("references") AS r
    FROM instances WHERE len("references") > 0
), named AS (
    SELECT source, location, from_sop_uid, study_uid, r.carrier AS carrier, coalesce(r.relation, 'other') AS relation,
        nullif(trim(r.study_uid), '') AS to_study_uid, nullif(trim(r.series_uid), '') AS to_series_uid,
        nullif(trim(r.sop_uid), '') AS to_sop_uid, nullif(trim(r.frame_of_reference_uid), '') AS to_frame_of_reference_uid
    FROM pointing
)
SELECT source, location, any_value(from_sop_uid) AS from_sop_uid, any_value(study_uid) AS study_uid,
    string_agg(DISTINCT carrier, ', ' ORDER BY carrier) AS carrier, relation, to_study_uid, to_series_uid, to_sop_uid,
    to_frame_of_reference_uid,
    CASE WHEN to_sop_uid IS NOT NULL THEN 'object' WHEN to_series_uid IS NOT NULL THEN 'series'
         WHEN to_study_uid IS NOT NULL THEN 'study' ELSE 'frame of reference' END AS level,
    coalesce(to_sop_uid, to_series_uid, to_study_uid, to_frame_of_reference_uid) AS uid
FROM named WHERE coalesce(to_sop_uid, to_series_uid, to_study_uid, to_frame_of_reference_uid) IS NOT NULL
GROUP BY source, location, relation, to_study_uid, to_series_uid, to_sop_uid, to_frame_of_reference_uid;
CREATE TEMP TABLE wanted AS SELECT DISTINCT level, uid FROM edges;
-- Two locations a source and UID are enough: one of them may be the pointing object itself, which doesn't count.
CREATE TEMP TABLE places AS
SELECT 'object' AS level, SOPInstanceUID AS uid, source, min(location, 2) AS locations
FROM instances SEMI JOIN wanted w ON w.level = 'object' AND w.uid = SOPInstanceUID GROUP BY ALL
UNION ALL
SELECT 'series', SeriesInstanceUID, source, min(location, 2)
FROM instances SEMI JOIN wanted w ON w.level = 'series' AND w.uid = SeriesInstanceUID GROUP BY ALL
UNION ALL
SELECT 'study', StudyInstanceUID, source, min(location, 2)
FROM instances SEMI JOIN wanted w ON w.level = 'study' AND w.uid = StudyInstanceUID GROUP BY ALL
UNION ALL
-- a frame of reference is there when images in it are: what merely names it has nothing to show
SELECT 'frame of reference', FrameOfReferenceUID, source, min(location, 2)
FROM instances SEMI JOIN wanted w ON w.level = 'frame of reference' AND w.uid = FrameOfReferenceUID
WHERE pixel_length IS NOT NULL GROUP BY ALL;
CREATE TEMP TABLE resolved AS
WITH candidates AS (
    SELECT e.*, p.source AS resolved_source,
        CASE WHEN p.source = e.source AND p.locations[1] = e.location THEN p.locations[2] ELSE p.locations[1] END AS resolved_location,
        o.position
    FROM edges e LEFT JOIN places p USING (level, uid) LEFT JOIN sources o ON o.source = p.source
)
SELECT * EXCLUDE (position, resolved_source), CASE WHEN resolved_location IS NOT NULL THEN resolved_source END AS resolved_source,
    CASE WHEN resolved_location IS NULL THEN 'dangling' WHEN resolved_source = source THEN 'resolved-here'
         ELSE 'resolved-other-archive' END AS state
FROM candidates
QUALIFY row_number() OVER (
    PARTITION BY source, location, relation, to_study_uid, to_series_uid, to_sop_uid, to_frame_of_reference_uid
    ORDER BY resolved_location IS NULL, resolved_source <> source, coalesce(position, 1000000), resolved_source) = 1;
-- Who each end belongs to: the person matching found, else issuer and ID as the record (or its source) says. Two persons
-- are different only when neither is still a question, and IDs of different issuers tell nothing.
CREATE TEMP TABLE owners AS
SELECT i.source, i.location, p.person_id, p.settled,
    CASE WHEN trim(i.PatientID) <> '' THEN concat_ws('|', coalesce(nullif(trim(i.IssuerOfPatientID), ''), s.issuer, ''), trim(i.PatientID)) END AS patient
FROM instances i JOIN (SELECT source, location FROM resolved UNION SELECT resolved_source, resolved_location FROM resolved) e USING (source, location)
    JOIN instance_records r USING (source, location) LEFT JOIN persons p USING (record_id) LEFT JOIN sources s USING (source);
CREATE TEMP TABLE answer AS
SELECT r.*, CASE
    WHEN a.person_id = b.person_id THEN true
    WHEN a.person_id <> b.person_id THEN CASE WHEN a.settled AND b.settled THEN false END
    WHEN a.patient = b.patient THEN true
    WHEN a.patient <> b.patient AND a.source = b.source THEN false END AS same_patient
FROM resolved r LEFT JOIN owners a ON a.source = r.source AND a.location = r.location
    LEFT JOIN owners b ON b.source = r.resolved_source AND b.location = r.resolved_location;
CREATE TEMP VIEW link_rows AS SELECT * EXCLUDE (level, uid) FROM answer

-- Every reference once (`edges`), and where it ends (`ends`). What is wide stays in `edges`; the rest goes by its number.
CREATE TEMP TABLE edges AS
WITH pointing AS (
    SELECT source, location, SOPInstanceUID AS from_sop_uid, StudyInstanceUID AS study_uid, unnest("references") AS r
    FROM instances WHERE len("references") > 0
), named AS (
    SELECT source, location, from_sop_uid, study_uid, r.carrier AS carrier, coalesce(r.relation, 'other') AS relation,
        nullif(trim(r.study_uid), '') AS to_study_uid, nullif(trim(r.series_uid), '') AS to_series_uid,
        nullif(trim(r.sop_uid), '') AS to_sop_uid, nullif(trim(r.frame_of_reference_uid), '') AS to_frame_of_reference_uid,
        nullif(trim(r.sop_class_uid), '') AS to_sop_class_uid
    FROM pointing
), once AS (
    -- two carriers of one reference are named both, which is rare
    SELECT source, location, any_value(from_sop_uid) AS from_sop_uid, any_value(study_uid) AS study_uid,
        CASE WHEN min(carrier) = max(carrier) THEN min(carrier) ELSE array_to_string(list_sort(list_distinct(list(carrier))), ', ') END AS carrier,
        relation, to_study_uid, to_series_uid, to_sop_uid, to_frame_of_reference_uid, min(to_sop_class_uid) AS to_sop_class_uid
    FROM named WHERE coalesce(to_sop_uid, to_series_uid, to_study_uid, to_frame_of_reference_uid) IS NOT NULL
    GROUP BY source, location, relation, to_study_uid, to_series_uid, to_sop_uid, to_frame_of_reference_uid
)
SELECT row_number() OVER () AS edge, *,
    CASE WHEN to_sop_uid IS NOT NULL THEN 'object' WHEN to_series_uid IS NOT NULL THEN 'series'
         WHEN to_study_uid IS NOT NULL THEN 'study' ELSE 'frame of reference' END AS level,
    coalesce(to_sop_uid, to_series_uid, to_study_uid, to_frame_of_reference_uid) AS uid
FROM once;
CREATE TEMP TABLE wanted AS SELECT DISTINCT to_sop_uid AS sop_uid FROM edges WHERE level = 'object';
-- Every object that points or is pointed to, with its person: the one matching found, else issuer and ID as the record (or
-- its source) says.
CREATE TEMP TABLE involved AS
WITH picked AS (
    SELECT source, location, SOPInstanceUID AS sop_uid, SeriesInstanceUID AS series_uid, StudyInstanceUID AS study_uid,
        SOPClassUID AS sop_class_uid, DocumentTitleCode AS title, PatientID, IssuerOfPatientID
    FROM instances WHERE len("references") > 0 OR SOPInstanceUID IN (FROM wanted)
)
SELECT i.* EXCLUDE (PatientID, IssuerOfPatientID), p.person_id, p.settled,
    CASE WHEN trim(PatientID) <> '' THEN concat_ws('|', coalesce(nullif(trim(IssuerOfPatientID), ''), s.issuer, ''), trim(PatientID)) END AS patient
FROM picked i JOIN instance_records r USING (source, location) LEFT JOIN persons p USING (record_id) LEFT JOIN sources s USING (source);
-- Two persons are different only when neither is still a question, and IDs of different issuers tell nothing.
CREATE TEMP MACRO one_person(a, b) AS CASE
    WHEN a.person_id = b.person_id THEN true
    WHEN a.person_id <> b.person_id THEN CASE WHEN a.settled AND b.settled THEN false END
    WHEN a.patient = b.patient THEN true
    WHEN a.patient <> b.patient AND a.source = b.source THEN false END;
-- What files of one SOP Instance UID are told apart by: the number of their pixels, and their place where it is another one.
CREATE TEMP TABLE shared AS
SELECT t.sop_uid, t.source, t.location, coalesce(o.position, 1000000) AS position
FROM involved t SEMI JOIN wanted USING (sop_uid) LEFT JOIN sources o USING (source)
QUALIFY count(*) OVER (PARTITION BY t.sop_uid) > 1;
CREATE TEMP TABLE contents AS
SELECT d.source, d.member AS location, max(d.content) AS content, bool_or(d.class = 'f') AS scattered
FROM duplicates d SEMI JOIN shared s ON s.source = d.source AND s.location = d.member
WHERE d.level = 'instance' AND d.class IN ('a', 'b', 'c', 'd', 'f') GROUP BY d.source, d.member;
CREATE TEMP TABLE choices AS
SELECT s.sop_uid, s.source, s.location, s.position, i.series_uid, i.study_uid, i.sop_class_uid,
    {'source': s.source, 'person_id': i.person_id, 'settled': i.settled, 'patient': i.patient} AS whose,
    concat_ws('|', coalesce(c.content, 1), CASE WHEN c.scattered THEN i.study_uid END, CASE WHEN c.scattered THEN i.series_uid END) AS content,
    coalesce(n.new_study_uid, i.study_uid) AS new_study_uid, coalesce(n.new_series_uid, i.series_uid) AS new_series_uid,
    coalesce(n.new_sop_uid, i.sop_uid) AS new_sop_uid
FROM shared s JOIN involved i ON i.source = s.source AND i.location = s.location
    LEFT JOIN contents c ON c.source = s.source AND c.location = s.location
    LEFT JOIN identities n ON n.source = s.source AND n.location = s.location;
-- A report's content names the object alone; its evidence says in which series and study that lies.
CREATE TEMP TABLE hints AS
SELECT source, location, to_sop_uid, CASE WHEN min(to_series_uid) = max(to_series_uid) THEN min(to_series_uid) END AS series_uid,
    CASE WHEN min(to_study_uid) = max(to_study_uid) THEN min(to_study_uid) END AS study_uid
FROM edges SEMI JOIN (SELECT DISTINCT sop_uid FROM choices) c ON c.sop_uid = to_sop_uid
WHERE to_series_uid IS NOT NULL OR to_study_uid IS NOT NULL GROUP BY source, location, to_sop_uid;
-- Of several files of one UID: the series that is named, the study, the SOP class, the same archive, study, person.
CREATE TEMP TABLE chosen AS
WITH asked AS (
    SELECT e.edge, e.source, e.location, e.study_uid, e.to_sop_uid, e.to_sop_class_uid, e.to_study_uid, e.to_series_uid,
        coalesce(e.to_series_uid, h.series_uid) AS wanted_series, coalesce(e.to_study_uid, h.study_uid) AS wanted_study,
        {'source': e.source, 'person_id': i.person_id, 'settled': i.settled, 'patient': i.patient} AS whose
    FROM edges e SEMI JOIN (SELECT DISTINCT sop_uid FROM choices) c ON c.sop_uid = e.to_sop_uid
        JOIN involved i ON i.source = e.source AND i.location = e.location
        LEFT JOIN hints h ON h.source = e.source AND h.location = e.location AND h.to_sop_uid = e.to_sop_uid
), ranked AS (
    SELECT a.edge, c.source, c.location, c.position, c.content,
        -- what the reference would name afterwards; what it doesn't name it doesn't name then either
        concat_ws('|', CASE WHEN a.to_study_uid IS NOT NULL THEN c.new_study_uid END,
            CASE WHEN a.to_series_uid IS NOT NULL THEN c.new_series_uid END, c.new_sop_uid) AS name,
        (c.series_uid IS NOT DISTINCT FROM a.wanted_series)::INT * 32 + (c.study_uid IS NOT DISTINCT FROM a.wanted_study)::INT * 16
            + (c.sop_class_uid IS NOT DISTINCT FROM a.to_sop_class_uid)::INT * 8 + (c.source = a.source)::INT * 4
            + (c.study_uid IS NOT DISTINCT FROM a.study_uid)::INT * 2 + coalesce(one_person(a.whose, c.whose), false)::INT AS fit
    FROM asked a JOIN choices c ON c.sop_uid = a.to_sop_uid
    WHERE c.source <> a.source OR c.location <> a.location
), best AS (
    FROM ranked QUALIFY fit = max(fit) OVER (PARTITION BY edge)
)
SELECT edge, arg_min({'source': source, 'location': location}, (position, source, location)) AS place,
    count(DISTINCT content) AS candidates, count(DISTINCT name) AS names
FROM best GROUP BY edge;
-- Series, studies and frames of reference, asked for once by those who ask alike. Two locations a place are enough: one of
-- them may be the pointing object itself, which doesn't count.
CREATE TEMP TABLE asked AS
SELECT DISTINCT level, uid, coalesce(to_study_uid, '') AS named_study, source, coalesce(study_uid, '') AS study_uid
FROM edges WHERE level <> 'object' AND (level <> 'study' OR uid IS DISTINCT FROM study_uid);
CREATE TEMP TABLE places AS
SELECT * EXCLUDE (locations), unnest(locations) AS location FROM (
SELECT 'series' AS level, SeriesInstanceUID AS uid, source, StudyInstanceUID AS study_uid, min(location, 2) AS locations
FROM instances SEMI JOIN asked a ON a.level = 'series' AND a.uid = SeriesInstanceUID GROUP BY ALL
UNION ALL
SELECT 'study', StudyInstanceUID, source, StudyInstanceUID, min(location, 2)
FROM instances SEMI JOIN asked a ON a.level = 'study' AND a.uid = StudyInstanceUID GROUP BY ALL
UNION ALL
-- a frame of reference is there when images in it are: what merely names it has nothing to show
SELECT 'frame of reference', FrameOfReferenceUID, source, StudyInstanceUID, min(location, 2)
FROM instances SEMI JOIN asked a ON a.level = 'frame of reference' AND a.uid = FrameOfReferenceUID
WHERE pixel_length IS NOT NULL GROUP BY ALL
);
CREATE TEMP TABLE nearest AS
SELECT a.level, a.uid, a.named_study, a.source, a.study_uid,
    list({'source': p.source, 'location': p.location} ORDER BY p.study_uid IS DISTINCT FROM a.named_study, p.source <> a.source,
        p.study_uid IS DISTINCT FROM a.study_uid, coalesce(o.position, 1000000), p.source, p.study_uid, p.location)[:2] AS places
FROM asked a JOIN places p ON p.level = a.level AND p.uid = a.uid LEFT JOIN sources o ON o.source = p.source
GROUP BY a.level, a.uid, a.named_study, a.source, a.study_uid;
CREATE TEMP TABLE ends AS
WITH single AS (
    SELECT sop_uid, source, location FROM involved SEMI JOIN wanted USING (sop_uid) ANTI JOIN shared USING (sop_uid)
), found AS (
    SELECT e.edge, e.source, {'source': t.source, 'location': t.location} AS place, 1 AS candidates, 1 AS names
    FROM edges e JOIN single t ON t.sop_uid = e.to_sop_uid WHERE e.source <> t.source OR e.location <> t.location
    UNION ALL
    SELECT edge, e.source, c.place, c.candidates, c.names FROM chosen c JOIN edges e USING (edge)
    UNION ALL
    -- an object lies in its own study
    SELECT edge, source, {'source': source, 'location': location}, 1, 1 FROM edges WHERE level = 'study' AND uid = study_uid
    UNION ALL
    SELECT e.edge, e.source, CASE WHEN n.places[1].source = e.source AND n.places[1].location = e.location
        THEN n.places[2] ELSE n.places[1] END, 1, 1
    FROM edges e JOIN nearest n ON n.level = e.level AND n.uid = e.uid AND n.named_study = coalesce(e.to_study_uid, '')
        AND n.source = e.source AND n.study_uid = coalesce(e.study_uid, '')
)
SELECT edge, place.source AS resolved_source, place.location AS resolved_location, candidates, names,
    CASE WHEN place.source = source THEN 'resolved-here' ELSE 'resolved-other-archive' END AS state
FROM found WHERE place IS NOT NULL;
-- Whose both ends are; of series, studies and frames of reference the end is one of their objects.
CREATE TEMP TABLE further AS
WITH missing AS (
    SELECT DISTINCT resolved_source AS source, resolved_location AS location FROM ends
    ANTI JOIN involved i ON i.source = resolved_source AND i.location = resolved_location
)
SELECT i.source, i.location, i.SOPInstanceUID AS sop_uid, i.SeriesInstanceUID AS series_uid, i.StudyInstanceUID AS study_uid,
    i.SOPClassUID AS sop_class_uid, p.person_id, p.settled,
    CASE WHEN trim(PatientID) <> '' THEN concat_ws('|', coalesce(nullif(trim(IssuerOfPatientID), ''), s.issuer, ''), trim(PatientID)) END AS patient
FROM instances i SEMI JOIN missing USING (source, location) JOIN instance_records r USING (source, location)
    LEFT JOIN persons p USING (record_id) LEFT JOIN sources s USING (source);
CREATE TEMP VIEW ended AS FROM involved UNION ALL BY NAME FROM further;
CREATE TEMP TABLE whose AS
SELECT n.edge, t.sop_class_uid, t.study_uid AS resolved_study_uid, one_person(
        {'source': a.source, 'person_id': a.person_id, 'settled': a.settled, 'patient': a.patient},
        {'source': t.source, 'person_id': t.person_id, 'settled': t.settled, 'patient': t.patient}) AS same_patient
FROM ends n JOIN edges e USING (edge) JOIN involved a ON a.source = e.source AND a.location = e.location
    JOIN ended t ON t.source = n.resolved_source AND t.location = n.resolved_location;
CREATE TEMP VIEW answer AS
SELECT e.*, n.resolved_source, n.resolved_location, coalesce(n.state, 'dangling') AS state, coalesce(n.candidates, 0) AS candidates,
    coalesce(n.names, 0) AS names, w.sop_class_uid AS resolved_class_uid, w.same_patient
FROM edges e LEFT JOIN ends n USING (edge) LEFT JOIN whose w USING (edge)

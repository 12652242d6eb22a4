-- What stands of it: notes that aren't taken back themselves, and are of the object's person.
CREATE TEMP TABLE standing AS
SELECT t.* FROM taken t JOIN notes n ON n.source = t.note_source AND n.location = t.note_location WHERE n.honoured;
CREATE TEMP TABLE rejected AS
SELECT source, location, any_value(sop_uid) AS sop_uid, any_value(study_uid) AS study_uid, list_sort(list(DISTINCT title)) AS titles
FROM standing WHERE NOT of_another GROUP BY source, location;
CREATE TEMP VIEW link_rows AS
SELECT a.source, a.location, from_sop_uid, a.study_uid, carrier, relation, to_study_uid, to_series_uid, to_sop_uid,
    to_frame_of_reference_uid, to_sop_class_uid, state, resolved_source, resolved_location, same_patient, candidates,
    s.edge IS NOT NULL AS rejects
FROM answer a LEFT JOIN (SELECT DISTINCT edge FROM standing WHERE NOT of_another) s USING (edge);
-- An object is named by its UID; where another file of that UID in its study isn't taken back, by where it lies.
CREATE TEMP TABLE rejected_rows AS
WITH files AS (
    SELECT source, StudyInstanceUID AS study_uid, SOPInstanceUID AS sop_uid, count(*) AS files
    FROM instances SEMI JOIN rejected r ON r.sop_uid = SOPInstanceUID GROUP BY ALL
), told AS (
    SELECT r.*, count(*) OVER (PARTITION BY r.source, r.study_uid, r.sop_uid) AS taken FROM rejected r
)
SELECT 'rejected-object' AS kind, 'RF-12' AS check_id, 'major' AS severity, t.source, t.study_uid,
    CASE WHEN f.files = t.taken THEN t.sop_uid ELSE t.location END AS entity,
    concat('a rejection note (', array_to_string(list_sort(list_distinct(flatten(list(t.titles)))), ', '), ') takes this object back') AS message
FROM told t LEFT JOIN files f ON f.source = t.source AND f.study_uid = t.study_uid AND f.sop_uid = t.sop_uid GROUP BY ALL

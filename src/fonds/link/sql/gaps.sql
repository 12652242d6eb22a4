-- What is missing around a study, as references and rejection notes tell it; checks of the field in `check_id`.
CREATE TEMP TABLE dangling AS
SELECT a.source, a.location, a.study_uid, a.relation, a.to_study_uid, a.level, a.uid,
    coalesce(a.relation = 'evidence' OR a.relation = 'content', false) AND n.location IS NOT NULL AS of_note,
    CASE a.relation WHEN 'predecessor' THEN 'RF-06' WHEN 'presentation' THEN 'RF-07' WHEN 'rt-image' THEN 'RF-08'
        WHEN 'segmentation-source' THEN 'RF-10' WHEN 'registration' THEN 'RF-11' WHEN 'fiducial' THEN 'RF-11'
        ELSE CASE WHEN starts_with(a.relation, 'rt-') THEN 'RF-09' ELSE 'RF-01' END END AS check_id
FROM answer a LEFT JOIN notes n ON n.source = a.source AND n.location = a.location
-- an order names the study it was to become, which need never have been made
WHERE a.state = 'dangling' AND a.relation <> 'request';
CREATE TEMP TABLE gap_facts AS
WITH out_of AS (
    -- what a rejection note takes back may well be gone; a study as such is often the one of a worklist, not of images
    SELECT 'dangling-reference' AS kind, max(check_id) AS check_id,
        CASE WHEN bool_and(of_note OR relation = 'referenced-study') THEN 'info' WHEN bool_and(check_id IN ('RF-06', 'RF-11')) THEN 'major' ELSE 'critical' END AS severity,
        source, study_uid, uid AS entity,
        concat(count(DISTINCT location), ' object(s) of this study point to the ', level, ' ', uid, ', which no archive holds') AS message
    FROM dangling GROUP BY source, study_uid, uid, level
), into_it AS (
    -- told once: where the study's own objects point there, it is that study's dangling reference
    SELECT 'dangling-in' AS kind, 'RF-01' AS check_id, CASE WHEN bool_and(of_note) THEN 'info' ELSE 'critical' END AS severity,
        h.source, d.to_study_uid AS study_uid, d.uid AS entity,
        concat(count(DISTINCT (d.source, d.location)), ' object(s) elsewhere point to the ', d.level, ' ', d.uid,
            ' of this study, which no archive holds') AS message
    FROM dangling d JOIN (
        SELECT DISTINCT StudyInstanceUID AS study_uid, source FROM instances SEMI JOIN dangling w ON w.to_study_uid = StudyInstanceUID
    ) h ON h.study_uid = d.to_study_uid
        ANTI JOIN dangling o ON o.source = h.source AND o.study_uid = d.to_study_uid AND o.uid = d.uid
    WHERE d.level <> 'study' GROUP BY h.source, d.to_study_uid, d.uid, d.level
), unknown_study AS (
    SELECT 'referenced-study-missing' AS kind, 'RF-01' AS check_id, CASE WHEN bool_and(of_note) THEN 'info' ELSE 'major' END AS severity,
        source, study_uid, to_study_uid AS entity,
        concat(count(DISTINCT location), ' object(s) of this study point into the study ', to_study_uid, ', which no archive holds') AS message
    FROM (
        SELECT e.source, e.location, e.study_uid, e.to_study_uid, n.location IS NOT NULL AS of_note
        FROM edges e SEMI JOIN (
            (SELECT to_study_uid FROM edges WHERE to_study_uid IS NOT NULL AND relation <> 'request' EXCEPT SELECT StudyInstanceUID FROM instances)
        ) m USING (to_study_uid) LEFT JOIN notes n ON n.source = e.source AND n.location = e.location
        WHERE e.relation <> 'request'
    ) GROUP BY source, study_uid, to_study_uid
), crossing AS (
    SELECT 'other-patient' AS kind, 'RF-03' AS check_id, 'critical' AS severity, source, study_uid, uid AS entity,
        concat(count(DISTINCT location), ' object(s) of this study point to the ', level, ' ', uid, ', which is another patient''s') AS message
    FROM answer WHERE NOT same_patient GROUP BY source, study_uid, uid, level
), other_class AS (
    SELECT 'class-differs' AS kind, 'RF-04' AS check_id, 'major' AS severity, source, study_uid, uid AS entity,
        concat(count(DISTINCT location), ' object(s) of this study say the object ', uid, ' is of SOP class ',
            string_agg(DISTINCT to_sop_class_uid, ', ' ORDER BY to_sop_class_uid), ', it is of ', min(resolved_class_uid)) AS message
    FROM answer WHERE level = 'object' AND candidates = 1 AND to_sop_class_uid <> resolved_class_uid AND trim(resolved_class_uid) <> ''
    GROUP BY source, study_uid, uid
), unclear AS (
    SELECT 'ambiguous-reference' AS kind, 'XA-02' AS check_id, 'major' AS severity, source, study_uid, uid AS entity,
        concat(count(DISTINCT location), ' object(s) of this study point to the object ', uid, ', which is ', max(candidates),
            ' objects of different content') AS message
    FROM answer WHERE candidates > 1 GROUP BY source, study_uid, uid
), unlisted AS (
    -- documents list in their evidence what their content shows (PS3.3 C.17.2.3)
    SELECT e.source, e.location, e.study_uid, e.from_sop_uid, e.to_sop_uid
    FROM edges e JOIN involved i ON i.source = e.source AND i.location = e.location
        ANTI JOIN (SELECT source, location, to_sop_uid FROM edges WHERE relation IN ('evidence', 'other-evidence')) v
            ON v.source = e.source AND v.location = e.location AND v.to_sop_uid = e.to_sop_uid
    WHERE e.relation = 'content' AND e.level = 'object' AND starts_with(i.sop_class_uid, '1.2.840.10008.5.1.4.1.1.88.')
), incomplete AS (
    SELECT 'evidence-incomplete' AS kind, 'RF-05' AS check_id, 'major' AS severity, source, study_uid, from_sop_uid AS entity,
        concat('the document''s content shows ', count(DISTINCT to_sop_uid), ' object(s) its evidence doesn''t list') AS message
    FROM unlisted WHERE from_sop_uid IS NOT NULL GROUP BY source, study_uid, from_sop_uid
), versions AS (
    SELECT e.source, e.study_uid, e.from_sop_uid, e.to_sop_uid FROM edges e
    WHERE e.relation = 'predecessor' AND e.level = 'object' AND e.from_sop_uid <> e.to_sop_uid
), latest AS (
    SELECT v.* FROM versions v ANTI JOIN versions later ON later.to_sop_uid = v.from_sop_uid
), forked AS (
    SELECT 'several-versions' AS kind, 'RF-06' AS check_id, 'major' AS severity, l.source, l.study_uid, l.to_sop_uid AS entity,
        concat(any_value(f.documents), ' documents replace the document ', l.to_sop_uid, ', and none of them another') AS message
    FROM latest l JOIN (
        SELECT to_sop_uid, count(DISTINCT from_sop_uid) AS documents FROM latest GROUP BY to_sop_uid HAVING count(DISTINCT from_sop_uid) > 1
    ) f USING (to_sop_uid) GROUP BY l.source, l.study_uid, l.to_sop_uid
), spatial AS (
    SELECT source, location, StudyInstanceUID AS study_uid, FrameOfReferenceUID AS uid,
        CASE WHEN SOPClassUID = '1.2.840.10008.5.1.4.1.1.481.3' THEN 'RF-08' WHEN SOPClassUID = '1.2.840.10008.5.1.4.1.1.481.2' THEN 'RF-09'
             WHEN SOPClassUID IN ('1.2.840.10008.5.1.4.1.1.66.1', '1.2.840.10008.5.1.4.1.1.66.3') THEN 'RF-11' ELSE 'RF-10' END AS check_id
    FROM instances WHERE trim(FrameOfReferenceUID) <> '' AND SOPClassUID IN (
        -- structure sets, doses, registrations, segmentations, maps
        '1.2.840.10008.5.1.4.1.1.481.2', '1.2.840.10008.5.1.4.1.1.481.3', '1.2.840.10008.5.1.4.1.1.66.1', '1.2.840.10008.5.1.4.1.1.66.3',
        '1.2.840.10008.5.1.4.1.1.66.4', '1.2.840.10008.5.1.4.1.1.66.5', '1.2.840.10008.5.1.4.1.1.66.7', '1.2.840.10008.5.1.4.1.1.30')
), floating AS (
    SELECT 'frame-of-reference-unknown' AS kind, min(check_id) AS check_id, 'major' AS severity, source, study_uid, uid AS entity,
        concat(count(*), ' object(s) of this study lie in the frame of reference ', uid, ', in which no archive has an image') AS message
    FROM spatial ANTI JOIN (
        SELECT DISTINCT FrameOfReferenceUID AS uid FROM instances SEMI JOIN (SELECT DISTINCT uid FROM spatial) s ON s.uid = FrameOfReferenceUID
        WHERE pixel_length IS NOT NULL AND SOPClassUID <> '1.2.840.10008.5.1.4.1.1.481.2'
            AND NOT starts_with(SOPClassUID, '1.2.840.10008.5.1.4.1.1.66.') AND SOPClassUID <> '1.2.840.10008.5.1.4.1.1.30'
    ) pictured USING (uid)
    -- what dangles is told as that
        ANTI JOIN dangling d ON d.source = spatial.source AND d.location = spatial.location
    GROUP BY source, study_uid, uid
), misplaced AS (
    SELECT 'rejection-of-other-patient' AS kind, 'RF-12' AS check_id, 'critical' AS severity, source, study_uid, sop_uid AS entity,
        concat('a rejection note (', string_agg(DISTINCT title, ', ' ORDER BY title), ') of another patient, or one not known to be the same, ',
            string_agg(DISTINCT note_sop_uid, ', ' ORDER BY note_sop_uid), ', takes this object back; it isn''t heeded') AS message
    FROM standing WHERE of_another GROUP BY source, study_uid, sop_uid
), others AS (
    -- what has the pixels of a rejected object: under another UID, or under the same one in another series
    SELECT o.source, o.member AS location, r.sop_uid, r.titles, r.study_uid
    FROM rejected r JOIN duplicates d ON d.source = r.source AND d.member = r.location JOIN duplicates o ON o.group_id = d.group_id
    WHERE d.class IN ('e', 'j') AND o.class IN ('e', 'j') AND o.disposition <> 'drop-copy'
    UNION ALL
    SELECT o.source, o.location, r.sop_uid, r.titles, r.study_uid
    FROM rejected r JOIN contents d ON d.source = r.source AND d.location = r.location JOIN choices o ON o.sop_uid = r.sop_uid
        JOIN contents c ON c.source = o.source AND c.location = o.location
    WHERE c.content = d.content
), again AS (
    SELECT 'rejected-again' AS kind, 'RF-12' AS check_id, 'critical' AS severity, i.source, i.StudyInstanceUID AS study_uid,
        i.SOPInstanceUID AS entity, concat('has the pixels of the object ', min(o.sop_uid), ', which a rejection note (',
            array_to_string(list_sort(list_distinct(flatten(list(o.titles)))), ', '), ') takes back') AS message
    FROM others o JOIN instances i ON i.source = o.source AND i.location = o.location
        ANTI JOIN rejected r ON r.source = o.source AND r.location = o.location
    -- what was filed under a wrong order is stored anew where it belongs
    WHERE o.titles <> ['113038'] OR i.StudyInstanceUID = o.study_uid
    GROUP BY i.source, i.StudyInstanceUID, i.SOPInstanceUID
)
FROM out_of
UNION ALL FROM into_it
UNION ALL FROM unknown_study
UNION ALL FROM crossing
UNION ALL FROM other_class
UNION ALL FROM unclear
UNION ALL FROM incomplete
UNION ALL FROM forked
UNION ALL FROM floating
UNION ALL FROM misplaced
UNION ALL FROM again
UNION ALL FROM rejected_rows
UNION ALL
SELECT 'missing-files', 'XA-06', 'critical', source, study_uid, coalesce(sop_uid, series_uid, study_uid),
    concat('the ', lower(any_value(level)), ' is in ', string_agg(DISTINCT index_source, ', ' ORDER BY index_source), ', but no file of ', source, ' belongs to it')
FROM drift WHERE kind = 'only-in-index' GROUP BY source, study_uid, coalesce(sop_uid, series_uid, study_uid);
CREATE TEMP TABLE study_people AS
SELECT r.source, r.study_uid, min(p.person_id) AS person_id
FROM instance_records r SEMI JOIN gap_facts g ON g.source = r.source AND g.study_uid = r.study_uid JOIN persons p USING (record_id)
GROUP BY ALL HAVING count(DISTINCT p.person_id) = 1;
CREATE TEMP VIEW gap_rows AS
SELECT g.*, p.person_id FROM gap_facts g LEFT JOIN study_people p USING (source, study_uid)
UNION ALL BY NAME
FROM context_gap_rows

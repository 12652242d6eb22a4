-- What rejection notes take back (IHE IOCM: Key Object Selections titled 113001 for quality, 113037 for patient safety,
-- 113038 for an incorrect worklist entry, 113039 when the retention period is over; PS3.16 CID 7011).
CREATE TEMP TABLE notes AS
SELECT source, location, sop_uid, title, {'source': source, 'person_id': person_id, 'settled': settled, 'patient': patient} AS whose,
    NULL::BOOLEAN AS honoured
FROM involved WHERE trim(title) IN ('113001', '113037', '113038', '113039') AND sop_class_uid = '1.2.840.10008.5.1.4.1.1.88.59';
-- A file is taken back with its copies in all archives, but not what has other pixels, or lies elsewhere, under its UID.
-- The note's evidence and content say what; other references, such as the study's own or identical documents, don't.
CREATE TEMP TABLE taken AS
WITH notice AS (
    SELECT e.edge, e.level, e.uid, e.to_study_uid, n.source AS note_source, n.location AS note_location, n.sop_uid AS note_sop_uid,
        n.title, n.whose AS note_whose
    FROM edges e JOIN notes n USING (source, location) WHERE e.relation IN ('evidence', 'content')
), meant AS (
    SELECT n.*, e.resolved_source AS source, e.resolved_location AS location
    FROM notice n JOIN ends e USING (edge) WHERE n.level = 'object' AND e.candidates = 1
), copies AS (
    FROM meant
    UNION
    SELECT m.* EXCLUDE (source, location), o.source, o.location
    FROM meant m JOIN choices c USING (source, location) JOIN choices o ON o.sop_uid = c.sop_uid AND o.content = c.content
), whole AS (
    SELECT n.*, i.source, i.location FROM notice n JOIN instances i ON i.SeriesInstanceUID = n.uid
    WHERE n.level = 'series' AND coalesce(n.to_study_uid = i.StudyInstanceUID, true)
    UNION ALL
    SELECT n.*, i.source, i.location FROM notice n JOIN instances i ON i.StudyInstanceUID = n.uid WHERE n.level = 'study'
), files AS (
    FROM copies UNION ALL FROM whole WHERE source <> note_source OR location <> note_location
), located AS (
    SELECT f.*, i.SOPInstanceUID AS sop_uid, i.StudyInstanceUID AS study_uid,
        {'source': i.source, 'person_id': p.person_id, 'settled': p.settled,
         'patient': CASE WHEN trim(i.PatientID) <> '' THEN concat_ws('|', coalesce(nullif(trim(i.IssuerOfPatientID), ''), s.issuer, ''), trim(i.PatientID)) END} AS whose
    FROM files f JOIN instances i ON i.source = f.source AND i.location = f.location
        JOIN instance_records r ON r.source = f.source AND r.location = f.location
        LEFT JOIN persons p ON p.record_id = r.record_id LEFT JOIN sources s ON s.source = f.source
)
-- whose a file is may not be known where one of its copies' is; where no copy is known to be the note's person's, a person looks
SELECT edge, note_source, note_location, note_sop_uid, title, source, location, sop_uid, study_uid,
    NOT coalesce(one_person(note_whose, whose), bool_or(one_person(note_whose, whose)) OVER (PARTITION BY edge), false) AS of_another
FROM located;
-- Notes that take notes back
CREATE TEMP TABLE contradicted AS
SELECT DISTINCT t.note_source AS by_source, t.note_location AS by_location, t.source, t.location
FROM taken t SEMI JOIN notes USING (source, location) WHERE NOT t.of_another

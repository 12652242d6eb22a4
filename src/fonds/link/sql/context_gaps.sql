-- What is missing around a study, order or report. `context_gap_rows` has the columns of `gaps`; what concerns an archive's
-- own study has a row an archive, all else one row. Messages name UIDs and our own names, never a patient's values.
CREATE TEMP TABLE feed_fulfilled AS
SELECT f.kind, f.study_uid, f.feed, f.id, t.status FROM feed_link_rows f JOIN feed_told t USING (feed, kind, id)
WHERE f.state = 'linked' AND t.status <> 'cancelled';
-- Orders and reports of one person that lead to a study of another: by Study UID, or by a number nobody else could mean.
CREATE TEMP TABLE feed_misfiled AS
SELECT feed, kind, id, study_uid, how, person_id FROM feed_link_rows WHERE state = 'linked' AND NOT same_patient
UNION ALL
SELECT b.feed, b.kind, b.id, b.study_uid, 'accession', t.person_id FROM feed_by_accession b ANTI JOIN feed_sure USING (feed, kind, id)
    JOIN feed_told t USING (feed, kind, id) WHERE b.other_person AND (b.same_issuer OR b.alone);
CREATE TEMP TABLE feed_unlinked AS
SELECT feed, kind, id, bool_or(state = 'suggested') AS suggested FROM feed_link_rows ANTI JOIN feed_misfiled USING (feed, kind, id)
GROUP BY feed, kind, id HAVING NOT bool_or(state = 'linked');
-- A report stands under its study, or under one of its accession numbers for the same person; where nobody is known whose
-- the number is, its issuer must not be another. A study is reported as soon as one of its objects is, in any archive.
CREATE TEMP TABLE number_shares AS
WITH numbered AS (
    SELECT accession_key, coalesce(person_id, '') AS person, space, bool_or(report) AS report, bool_or(finished) AS finished,
        bool_or(pictured) AS pictured FROM number_bearers GROUP BY ALL
)
SELECT a.study_uid, bool_or(n.report) AS report, bool_or(n.finished) AS finished, bool_or(n.pictured) AS pictured
FROM number_bearers a JOIN numbered n ON n.accession_key = a.accession_key AND n.person = coalesce(a.person_id, '')
WHERE a.person_id IS NOT NULL OR a.space = n.space OR a.space = '' OR n.space = ''
GROUP BY a.study_uid;
CREATE TEMP TABLE study_standing AS
SELECT s.study_uid, s.day, s.source, s.pictured AS own_images, s.reported OR coalesce(h.report, false) AS reported,
    s.finished OR coalesce(h.finished, false) AS finished, s.pictured OR coalesce(h.pictured, false) AS pictured
FROM whole_studies s LEFT JOIN number_shares h USING (study_uid);
CREATE TEMP TABLE study_places AS
SELECT source, study_uid, bool_or(kind = 'image') AS pictured, bool_or(report) AS reported FROM study_parts GROUP BY source, study_uid;
CREATE TEMP TABLE feed_reported AS
SELECT study_uid, bool_or(status <> 'preliminary') AS final FROM feed_fulfilled WHERE kind = 'report' GROUP BY study_uid;
-- Which studies feeds of orders speak of: those of the archives their orders led to, and of the issuers they name, from the
-- first to the last day, where a share of the studies of that time has orders. A study that two archives hold, or a patient
-- sent over, makes no feed of the other department's.
CREATE TEMP TABLE covered_studies AS
WITH spans AS (
    SELECT p.source, o.feed, min(s.day) AS first, max(s.day) AS last
    FROM feed_link_rows o JOIN whole_studies s USING (study_uid) JOIN study_places p USING (study_uid)
    WHERE o.kind = 'order' AND o.state = 'linked' GROUP BY ALL
    UNION ALL
    SELECT b.source, t.feed, min(t.day), max(t.day) FROM feed_told t
    JOIN (SELECT DISTINCT source, space FROM number_bearers WHERE space <> '') b ON b.space = one_issuer(t.issuer)
    WHERE t.kind = 'order' GROUP BY ALL
), whole AS (
    SELECT source, feed, min(first) AS first, max(last) AS last FROM spans GROUP BY ALL
), dated AS (
    SELECT DISTINCT p.source, p.study_uid, w.feed, o.study_uid IS NOT NULL AS ordered FROM study_places p JOIN study_standing s USING (study_uid)
        JOIN whole w ON w.source = p.source
        LEFT JOIN (SELECT DISTINCT study_uid FROM feed_link_rows WHERE kind = 'order' AND state = 'linked') o ON o.study_uid = p.study_uid
    WHERE p.pictured AND s.day BETWEEN w.first AND w.last
)
SELECT DISTINCT source, study_uid FROM dated
SEMI JOIN (SELECT source, feed FROM dated GROUP BY ALL HAVING count(*) FILTER (ordered) >= coverage() * count(*)) USING (source, feed);
-- Annotations and measurements whose images no archive holds: none of their references leads to an image, and some to
-- nothing; those that point to nothing at all stand beside no image.
CREATE TEMP TABLE marking_objects AS
SELECT source, location, SOPInstanceUID AS sop_uid, trim(StudyInstanceUID) AS study_uid, object_kind(SOPClassUID, DocumentTitleCode, Modality, pixel_length) AS kind,
    CASE WHEN starts_with(SOPClassUID, '1.2.840.10008.5.1.4.1.1.11.') THEN 'RF-07' WHEN SOPClassUID = '1.2.840.10008.5.1.4.1.1.481.3' THEN 'RF-08'
         WHEN SOPClassUID = '1.2.840.10008.5.1.4.1.1.91.1' THEN 'RF-14' ELSE 'RF-10' END AS check_id
FROM instances WHERE trim(StudyInstanceUID) <> '' AND trim(SOPInstanceUID) <> ''
    AND object_kind(SOPClassUID, DocumentTitleCode, Modality, pixel_length) IN ('annotation', 'measurement')
    -- registrations place images, they don't annotate them
    AND coalesce(SOPClassUID, '') NOT IN ('1.2.840.10008.5.1.4.1.1.66.1', '1.2.840.10008.5.1.4.1.1.66.2', '1.2.840.10008.5.1.4.1.1.66.3');
CREATE TEMP TABLE floating_marks AS
WITH pointing AS (
    SELECT l.source, l.location, l.state, l.resolved_source, l.resolved_location FROM link_rows l SEMI JOIN marking_objects USING (source, location)
), shown AS (
    SELECT i.source, i.location FROM instances i
    SEMI JOIN (SELECT DISTINCT resolved_source AS source, resolved_location AS location FROM pointing WHERE state <> 'dangling') USING (source, location)
    WHERE object_kind(i.SOPClassUID, i.DocumentTitleCode, i.Modality, i.pixel_length) = 'image'
), judged AS (
    SELECT p.source, p.location, bool_or(p.state = 'dangling') AS dangling, bool_or(s.source IS NOT NULL) AS pictured
    FROM pointing p LEFT JOIN shown s ON s.source = p.resolved_source AND s.location = p.resolved_location GROUP BY ALL
)
SELECT m.sop_uid, m.study_uid, any_value(m.check_id) AS check_id, any_value(m.kind) AS kind, arg_min(m.source, coalesce(o.position, 1000000)) AS source
FROM marking_objects m LEFT JOIN judged j USING (source, location) LEFT JOIN whole_studies s USING (study_uid) LEFT JOIN sources o ON o.source = m.source
GROUP BY m.sop_uid, m.study_uid
HAVING bool_and(CASE WHEN j.source IS NULL THEN NOT coalesce(s.pictured, false) ELSE j.dangling AND NOT j.pictured END);
-- The last day a feed can know of: its newest change, or today
CREATE TEMP TABLE feed_horizons AS
SELECT feed, least(coalesce(max(changed), current_date), current_date) AS today FROM feed_told GROUP BY feed;
CREATE TEMP TABLE context_findings AS
SELECT 'images-without-report' AS kind, NULL AS check_id, 'minor' AS severity, p.source, NULL AS person_id, p.study_uid, p.study_uid AS entity,
    concat('no report under this study or its accession number in any archive', CASE WHEN g.study_uid IS NOT NULL
        THEN '; a report of a feed is suggested' END) AS message
FROM study_places p JOIN study_standing s USING (study_uid) ANTI JOIN feed_reported USING (study_uid) ANTI JOIN (FROM waived_studies WHERE report) w ON w.study_uid = p.study_uid AND w.source = p.source
    LEFT JOIN (SELECT DISTINCT study_uid FROM feed_link_rows WHERE kind = 'report' AND state = 'suggested') g ON g.study_uid = p.study_uid
WHERE p.pictured AND NOT s.reported
UNION ALL
SELECT 'report-without-images', NULL, 'minor', p.source, NULL, p.study_uid, p.study_uid,
    'no image or waveform under this study or its accession number in any archive'
FROM study_places p JOIN study_standing s USING (study_uid) WHERE p.reported AND NOT s.pictured
UNION ALL
SELECT 'only-preliminary-report', NULL, 'minor', s.source, NULL, s.study_uid, s.study_uid, 'only a preliminary or partial report is known of this study'
FROM study_standing s LEFT JOIN feed_reported t USING (study_uid) ANTI JOIN (FROM waived_studies WHERE report) w ON w.study_uid = s.study_uid AND w.source = s.source
WHERE s.own_images AND NOT s.finished AND (s.reported OR t.study_uid IS NOT NULL) AND NOT coalesce(t.final, false)
UNION ALL
SELECT 'report-without-images', NULL, 'minor', t.feed, t.person_id, t.study_uid, t.id,
    concat('the study of this report is in no archive', CASE WHEN f.suggested THEN '; a study is suggested' END)
FROM feed_told t JOIN feed_unlinked f USING (feed, kind, id) WHERE t.kind = 'report' AND t.status <> 'cancelled'
UNION ALL
SELECT 'order-without-study', 'ST-07', CASE WHEN t.status = 'performed' THEN 'major' ELSE 'minor' END, t.feed, t.person_id, t.study_uid, t.id,
    concat(CASE WHEN t.status = 'performed' THEN 'performed, but its study is in no archive' ELSE 'its day is past, and no archive holds a study of it' END,
        CASE WHEN f.suggested THEN '; a study is suggested' END)
FROM feed_told t JOIN feed_unlinked f USING (feed, kind, id) JOIN feed_horizons h ON h.feed = t.feed
WHERE t.kind = 'order' AND t.status <> 'cancelled' AND coalesce(t.day <= h.today, true)
    AND (t.status = 'performed' OR t.scheduled < h.today)
UNION ALL
SELECT 'study-without-order', NULL, 'minor', s.source, NULL, s.study_uid, s.study_uid,
    'no order leads to this study, though a feed of orders speaks of its archive at that time'
FROM study_standing s SEMI JOIN covered_studies USING (study_uid)
    ANTI JOIN (SELECT study_uid FROM feed_link_rows WHERE kind = 'order' AND state = 'linked') o USING (study_uid)
    ANTI JOIN (FROM waived_studies WHERE "order") w ON w.study_uid = s.study_uid AND w.source = s.source
UNION ALL
SELECT 'annotation-without-image', check_id, 'critical', source, NULL, study_uid, sop_uid, concat('no archive holds an image of this ', kind) FROM floating_marks
UNION ALL
SELECT 'accession-on-two-patients', 'ST-06', 'critical', source, NULL, study_uid, accession_key,
    'its accession number stands on studies of two persons under one issuer'
FROM (SELECT b.study_uid, b.accession_key, arg_min(b.source, coalesce(s.position, 1000000)) AS source
      FROM number_bearers b SEMI JOIN numbers_on_two USING (ground, accession_key) LEFT JOIN sources s USING (source) GROUP BY ALL)
UNION ALL
SELECT 'accession-collision', 'ST-08', 'major', source, NULL, study_uid, accession_key,
    'another issuer or archive gave its accession number to another person'
FROM (SELECT b.study_uid, b.accession_key, arg_min(b.source, coalesce(s.position, 1000000)) AS source
      FROM number_bearers b SEMI JOIN colliding_numbers c ON c.written = upper(trim(b.accession)) LEFT JOIN sources s USING (source) GROUP BY ALL)
UNION ALL
SELECT concat(kind, '-on-other-patient'), NULL, 'critical', feed, person_id, study_uid, id,
    concat('this ', kind, ' names one person, and the study its ', how, ' leads to is another''s')
FROM feed_misfiled
UNION ALL
SELECT 'cancelled-order-with-images', NULL, 'minor', s.source, NULL, s.study_uid, f.id, concat('the order was cancelled in ', f.feed, ', and there are images')
FROM feed_link_rows f JOIN feed_told t USING (feed, kind, id) JOIN study_standing s ON s.study_uid = f.study_uid
    ANTI JOIN feed_fulfilled o ON o.kind = 'order' AND o.study_uid = f.study_uid
WHERE f.kind = 'order' AND f.state = 'linked' AND t.status = 'cancelled' AND s.own_images;
CREATE TEMP TABLE context_gap_rows AS
SELECT g.kind, min(g.check_id) AS check_id, min(g.severity) AS severity, g.source, min(coalesce(g.person_id, s.person_id)) AS person_id,
    g.study_uid, g.entity, min(g.message) AS message
FROM context_findings g LEFT JOIN whose_study s ON s.study_uid = g.study_uid
-- two feeds may call two orders alike
GROUP BY g.kind, g.source, g.study_uid, g.entity

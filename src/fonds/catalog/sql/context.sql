-- What an object is to a reader: an image (or waveform), or what belongs to images. PS3.4 B.5 and PS3.6 annex A for the SOP
-- classes; CID 7011 for the titles of rejection notes, TID 1500 for that of measurements. NULL: nothing to read (raw data).
CREATE OR REPLACE MACRO object_kind(class, title, modality, pixels) AS CASE
    WHEN class = '1.2.840.10008.5.1.4.1.1.88.59'
        THEN CASE WHEN title IN ('113001', '113037', '113038', '113039') THEN 'rejection' ELSE 'key-images' END
    WHEN class IN ('1.2.840.10008.5.1.4.1.1.88.67', '1.2.840.10008.5.1.4.1.1.88.68', '1.2.840.10008.5.1.4.1.1.88.73',
        '1.2.840.10008.5.1.4.1.1.88.76') THEN 'dose'
    WHEN class IN ('1.2.840.10008.5.1.4.1.1.88.50', '1.2.840.10008.5.1.4.1.1.88.65', '1.2.840.10008.5.1.4.1.1.88.69',
        '1.2.840.10008.5.1.4.1.1.88.72') THEN 'measurement'
    -- procedure log, acquisition context, imaging agents: what happened, not what was found
    WHEN class IN ('1.2.840.10008.5.1.4.1.1.88.40', '1.2.840.10008.5.1.4.1.1.88.71', '1.2.840.10008.5.1.4.1.1.88.74',
        '1.2.840.10008.5.1.4.1.1.88.75') THEN 'log'
    WHEN class = '1.2.840.10008.5.1.4.1.1.88.70' THEN 'plan'
    WHEN class = '1.2.840.10008.5.1.4.1.1.88.77' THEN 'annotation'
    WHEN starts_with(class, '1.2.840.10008.5.1.4.1.1.88.') THEN CASE WHEN title = '126000' THEN 'measurement' ELSE 'report' END
    WHEN starts_with(class, '1.2.840.10008.5.1.4.1.1.104.') THEN 'document'
    WHEN starts_with(class, '1.2.840.10008.5.1.4.1.1.11.') OR starts_with(class, '1.2.840.10008.5.1.4.1.1.66.')
        OR class IN ('1.2.840.10008.5.1.4.1.1.91.1', '1.2.840.10008.5.1.4.1.1.481.3', '1.2.840.10008.5.1.4.1.1.481.11') THEN 'annotation'
    WHEN starts_with(class, '1.2.840.10008.5.1.4.1.1.481.')
        AND class NOT IN ('1.2.840.10008.5.1.4.1.1.481.1', '1.2.840.10008.5.1.4.1.1.481.23', '1.2.840.10008.5.1.4.1.1.481.24') THEN 'plan'
    WHEN modality = 'SR' THEN 'report' WHEN modality = 'DOC' THEN 'document' WHEN modality = 'KO' THEN 'key-images'
    WHEN pixels IS NOT NULL OR starts_with(class, '1.2.840.10008.5.1.4.1.1.9.') OR class = '1.2.840.10008.5.1.4.1.1.4.2' THEN 'image'
    WHEN modality IN ('PR', 'SEG', 'RTSTRUCT', 'REG', 'ANN') THEN 'annotation' WHEN modality IN ('RTPLAN', 'RTDOSE', 'RTRECORD') THEN 'plan'
END;
-- An accession number without what spellings differ in: case, blanks, separators beside letters, zeros that numbers begin
-- with. Digits on both sides of a separator stay two numbers: 1-23 isn't 12-3.
CREATE OR REPLACE MACRO accession_form(x) AS nullif(regexp_replace(regexp_replace(regexp_replace(
    trim(regexp_replace(upper(x), '[^\p{L}\p{N}]+', '-', 'g'), '-'), '(\p{L})-', '\1', 'g'), '-(\p{L})', '\1', 'g'),
    '(^|[^0-9])0+([0-9])', '\1\2', 'g'), '');
-- Days as dates; what is none is NULL. `source_day` reads DA (PS3.5 6.2) and the form with dots of before 1993.
CREATE OR REPLACE MACRO source_day(x) AS try_strptime(left(replace(trim(x), '.', ''), 8), '%Y%m%d')::DATE;
CREATE OR REPLACE MACRO iso_day(x) AS coalesce(try_cast(left(trim(x), 10) AS DATE), try_strptime(left(trim(x), 8), '%Y%m%d')::DATE);
CREATE OR REPLACE MACRO iso_moment(day, clock) AS CASE WHEN source_day(day) IS NOT NULL
    THEN strftime(source_day(day), '%Y-%m-%d') || coalesce('T' || strftime(try_strptime(left(replace(trim(clock), ':', ''), 6), ['%H%M%S', '%H%M']), '%H:%M:%S'), '') END;
CREATE OR REPLACE MACRO document_title(code) AS CASE code
    WHEN '113000' THEN 'Of interest' WHEN '113001' THEN 'Rejected for quality reasons' WHEN '113002' THEN 'For referring provider'
    WHEN '113003' THEN 'For surgery' WHEN '113004' THEN 'For teaching' WHEN '113005' THEN 'For conference' WHEN '113006' THEN 'For therapy'
    WHEN '113007' THEN 'For patient' WHEN '113008' THEN 'For peer review' WHEN '113009' THEN 'For research' WHEN '113010' THEN 'Quality issue'
    WHEN '113037' THEN 'Rejected for patient safety reasons' WHEN '113038' THEN 'Incorrect modality worklist entry'
    WHEN '113039' THEN 'Data retention policy expired' WHEN '113701' THEN 'X-Ray radiation dose report' WHEN '126000' THEN 'Imaging measurement report'
    WHEN '125200' THEN 'Adult echocardiography procedure report' WHEN '18745-0' THEN 'Cardiac catheterization report'
    WHEN '18748-4' THEN 'Diagnostic imaging report' WHEN '18747-6' THEN 'CT report' WHEN '18755-9' THEN 'MRI report'
    WHEN '18760-9' THEN 'Ultrasound report' WHEN '28010-7' THEN 'ECG report' WHEN '28570-0' THEN 'Procedure note' END;
CREATE OR REPLACE MACRO object_word(class, modality) AS CASE
    WHEN starts_with(class, '1.2.840.10008.5.1.4.1.1.11.') OR modality = 'PR' THEN 'presentation state'
    WHEN class = '1.2.840.10008.5.1.4.1.1.481.3' OR modality = 'RTSTRUCT' THEN 'structure set'
    WHEN class IN ('1.2.840.10008.5.1.4.1.1.66.1', '1.2.840.10008.5.1.4.1.1.66.3') OR modality = 'REG' THEN 'registration'
    WHEN class = '1.2.840.10008.5.1.4.1.1.66.2' THEN 'fiducials'
    WHEN starts_with(class, '1.2.840.10008.5.1.4.1.1.66.') OR modality = 'SEG' THEN 'segmentation'
    WHEN class = '1.2.840.10008.5.1.4.1.1.481.2' OR modality = 'RTDOSE' THEN 'dose grid'
    WHEN modality = 'RTRECORD' THEN 'treatment record' WHEN modality = 'RTPLAN' THEN 'treatment plan' END;
-- Each object with its person (the record itself before matching) and what it is to a reader. Values are raw.
CREATE OR REPLACE VIEW context_objects AS
SELECT coalesce(p.person_id, r.record_id) AS person_id, r.record_id, i.source, i.location, trim(i.StudyInstanceUID) AS study_uid,
    i.SeriesInstanceUID AS series_uid, i.SOPInstanceUID AS sop_uid,
    object_kind(i.SOPClassUID, i.DocumentTitleCode, i.Modality, i.pixel_length) AS kind,
    nullif(trim(i.Modality), '') AS modality, i.SOPClassUID AS sop_class_uid, i.DocumentTitleCode AS title_code,
    i.DocumentTitle AS title, i.ContentLabel AS label, i.StudyDate AS study_date, i.StudyTime AS study_time,
    coalesce(nullif(trim(i.ContentDate), ''), i.SeriesDate) AS made_date,
    CASE WHEN trim(i.ContentDate) <> '' THEN i.ContentTime ELSE i.SeriesTime END AS made_time,
    i.StudyDescription AS study_description, i.SeriesDescription AS series_description, i.BodyPartExamined AS body_part,
    i.AccessionNumber AS accession, coalesce(nullif(trim(i.IssuerOfAccessionNumberEntityID), ''), s.accession_issuer, '') AS accession_issuer,
    lower(concat_ws(', ', nullif(trim(i.CompletionFlag), ''), nullif(trim(i.VerificationFlag), ''))) AS status
FROM instances i JOIN instance_records r USING (source, location) LEFT JOIN persons p ON p.record_id = r.record_id
    LEFT JOIN sources s ON s.source = i.source
WHERE trim(i.StudyInstanceUID) <> '';
-- One row a study and person, over all archives. An object that several archives hold counts once.
CREATE OR REPLACE VIEW study_context AS
WITH held AS (
    SELECT person_id, study_uid, iso_moment(min(study_date), arg_min(study_time, study_date)) AS at,
        min(nullif(trim(study_description), '')) AS description,
        list_sort(list(DISTINCT modality) FILTER (kind = 'image' AND modality IS NOT NULL)) AS pictured,
        list_sort(list(DISTINCT modality) FILTER (modality IS NOT NULL)) AS every_modality,
        list_sort(list(DISTINCT upper(trim(body_part))) FILTER (trim(body_part) <> '')) AS body_parts,
        list_sort(list(DISTINCT source)) AS sources,
        count(DISTINCT series_uid) AS series, count(DISTINCT sop_uid) AS objects,
        count(DISTINCT sop_uid) FILTER (kind = 'image') AS images,
        count(DISTINCT sop_uid) FILTER (kind IN ('report', 'document', 'measurement')) AS own_reports,
        min({'accession': accession, 'source': source, 'issuer': accession_issuer}) FILTER (trim(accession) <> '') AS numbered
    FROM context_objects GROUP BY person_id, study_uid
), told AS (
    SELECT l.study_uid, count(*) FILTER (l.kind = 'report' AND r.report_id IS NULL) AS reports,
        min(l.id) FILTER (l.kind = 'order') AS order_id
    FROM feed_links l LEFT JOIN (SELECT feed, 'report' AS kind, report_id FROM feed_reports WHERE status = 'cancelled') r
        ON r.feed = l.feed AND r.kind = l.kind AND r.report_id = l.id
    WHERE l.state = 'linked' GROUP BY l.study_uid
), lacking AS (
    SELECT study_uid, list_sort(list(DISTINCT kind) FILTER (kind <> 'rejected-object')) AS missing,
        count(DISTINCT entity) FILTER (kind = 'rejected-object') AS rejected
    FROM gaps GROUP BY study_uid
), twice AS (
    SELECT member AS study_uid, list_sort(list(DISTINCT concat('duplicate ', class, ': ', disposition))) AS notes
    FROM duplicates WHERE level = 'study' GROUP BY member
), numbers AS (
    SELECT source, issuer, trim(accession) AS accession, min(accession_key) AS accession_key, min(problem) AS problem
    FROM accessions GROUP BY source, issuer, trim(accession)
)
SELECT h.person_id, h.study_uid, h.at, h.description, CASE WHEN len(h.pictured) > 0 THEN h.pictured ELSE h.every_modality END AS modalities,
    h.body_parts, h.sources, h.series, h.objects, h.images, h.own_reports + coalesce(t.reports, 0) AS reports, t.order_id,
    trim(h.numbered.accession) AS accession, a.accession_key, a.problem AS accession_problem,
    coalesce(l.missing, []) AS missing,
    coalesce(d.notes, []) || CASE WHEN l.rejected > 0 THEN [concat(l.rejected, ' rejected')] ELSE [] END AS notes
FROM held h LEFT JOIN told t ON t.study_uid = h.study_uid LEFT JOIN lacking l ON l.study_uid = h.study_uid
    LEFT JOIN twice d ON d.study_uid = h.study_uid
    LEFT JOIN numbers a ON a.source = h.numbered.source AND a.issuer = h.numbered.issuer AND a.accession = trim(h.numbered.accession);
-- An earlier study of the same person that a reader would compare: one modality, or one part of the body.
CREATE OR REPLACE VIEW priors AS
SELECT s.person_id, s.study_uid, s.at, p.study_uid AS prior_study_uid, p.at AS prior_at,
    date_diff('day', iso_day(p.at), iso_day(s.at)) AS days, list_has_any(s.modalities, p.modalities) AS same_modality,
    list_has_any(s.body_parts, p.body_parts) AS same_body_part, p.sources AS prior_sources
FROM study_context s JOIN study_context p ON p.person_id = s.person_id
WHERE p.at < s.at AND s.images > 0 AND p.images > 0
    AND (coalesce(list_has_any(s.modalities, p.modalities), false) OR coalesce(list_has_any(s.body_parts, p.body_parts), false));
-- What archives hold of a person, an item a row: each study, and what in it is no image. An item in several archives is one.
CREATE OR REPLACE VIEW archive_items AS
WITH floating AS (
    SELECT study_uid, entity AS sop_uid, true AS floats FROM gaps WHERE kind = 'annotation-without-image' GROUP BY ALL
), items AS (
    SELECT o.person_id, o.study_uid, o.kind, CASE WHEN o.kind IN ('report', 'document', 'rejection') THEN o.sop_uid ELSE o.series_uid END AS item,
        min(coalesce(iso_moment(made_date, made_time), iso_moment(study_date, study_time))) AS at,
        coalesce(min(nullif(trim(title), '')), min(document_title(title_code))) AS titled, min(object_word(sop_class_uid, modality)) AS word,
        coalesce(min(nullif(trim(label), '')), min(nullif(trim(series_description), ''))) AS label,
        list_sort(list(DISTINCT modality) FILTER (modality IS NOT NULL)) AS modalities, list_sort(list(DISTINCT source)) AS sources,
        count(DISTINCT series_uid) AS series, count(DISTINCT o.sop_uid) AS objects, min(nullif(status, '')) AS status,
        min(nullif(trim(accession), '')) AS accession, coalesce(bool_or(f.floats), false) AS floats
    FROM context_objects o LEFT JOIN floating f ON f.study_uid = o.study_uid AND f.sop_uid = o.sop_uid
    WHERE o.kind IS NOT NULL AND o.kind <> 'image' GROUP BY ALL
)
SELECT person_id, c.at, 'study' AS kind, coalesce(description, array_to_string(modalities, ' ')) AS what, sources[1] AS source, sources, study_uid,
    accession, accession_key, modalities, series, objects, reports, order_id, study_uid AS item, NULL AS status, missing, notes
FROM study_context c
UNION ALL BY NAME
SELECT i.person_id, i.at, i.kind, coalesce(i.titled, CASE WHEN i.label <> i.word THEN i.word || ': ' || i.label END, i.word, i.label, i.kind) AS what,
    i.sources[1] AS source, i.sources, i.study_uid, i.accession, i.modalities, i.series, i.objects, i.item, i.status,
    CASE WHEN i.floats THEN ['annotation-without-image'] ELSE []::VARCHAR[] END AS missing, []::VARCHAR[] AS notes
FROM items i;
-- What feeds tell: orders and reports, each with the study it leads to and the person its identifier names (NULL: not known).
CREATE OR REPLACE VIEW feed_items AS
WITH told AS (
    SELECT feed, 'order' AS kind, order_id AS id, coalesce(scheduled, ordered) AS at, description, modality, accession, accession_issuer, status
    FROM feed_orders
    UNION ALL
    SELECT feed, 'report', report_id, issued, description, modality, accession, accession_issuer, status FROM feed_reports
), belonging AS (
    SELECT feed, kind, id, min(person_id) AS person_id, min(study_uid) AS study_uid, min(state) AS state FROM feed_links GROUP BY feed, kind, id
), absent AS (
    SELECT source AS feed, split_part(kind, '-', 1) AS of_kind, entity AS id, list_sort(list(DISTINCT kind)) AS missing
    FROM gaps SEMI JOIN (SELECT DISTINCT feed AS source FROM feed_links) USING (source) GROUP BY ALL
), numbers AS (
    SELECT source AS feed, issuer, trim(accession) AS accession, min(accession_key) AS accession_key FROM accessions GROUP BY ALL
)
SELECT b.person_id, left(t.at, 19) AS at, t.kind, coalesce(nullif(trim(t.description), ''), nullif(trim(t.modality), ''), t.kind) AS what,
    t.feed AS source, [t.feed] AS sources, b.study_uid, nullif(trim(t.accession), '') AS accession, a.accession_key,
    CASE WHEN trim(t.modality) <> '' THEN [upper(trim(t.modality))] END AS modalities, CASE WHEN t.kind = 'order' THEN t.id END AS order_id, t.id AS item,
    t.status, coalesce(m.missing, []) AS missing, CASE WHEN b.state = 'suggested' THEN ['suggested'] ELSE []::VARCHAR[] END AS notes
FROM told t LEFT JOIN belonging b ON b.feed = t.feed AND b.kind = t.kind AND b.id = t.id
    LEFT JOIN numbers a ON a.feed = t.feed AND a.issuer = coalesce(trim(t.accession_issuer), '') AND a.accession = trim(t.accession)
    LEFT JOIN absent m ON m.feed = t.feed AND m.of_kind = t.kind AND m.id = t.id;
-- A person's history over all archives and feeds, in the order of time; a row of a feed whose person isn't known is the study's.
CREATE OR REPLACE VIEW timeline AS
WITH every AS (
    SELECT * EXCLUDE (item), item, CASE WHEN kind = 'study' AND a.at IS NOT NULL
        THEN rank() OVER (PARTITION BY person_id, kind = 'study' ORDER BY a.at NULLS LAST) - 1 END AS priors
    FROM archive_items a
    UNION ALL BY NAME
    FROM feed_items WHERE person_id IS NOT NULL
    UNION ALL BY NAME
    SELECT s.person_id, f.* EXCLUDE (person_id) FROM feed_items f
        JOIN (SELECT DISTINCT person_id, study_uid FROM context_objects) s ON s.study_uid = f.study_uid WHERE f.person_id IS NULL
)
SELECT person_id, iso_day(e.at) AS day, e.* EXCLUDE (person_id) FROM every e

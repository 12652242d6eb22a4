-- FHIR R4 and R4B ServiceRequests, DiagnosticReports and ImagingStudies, one version of each, as orders and reports.
-- `parsed_requests`, `parsed_reports`, `parsed_studies` hold (seq, own, url, p): place in the feed, whether the file is one
-- the feed takes them from, fullUrl in a Bundle, the resource. `people` are the Patients. A reference is TYPE/ID, or the
-- urn: of a Bundle; one to a contained resource begins with #.
CREATE MACRO target(r) AS CASE WHEN starts_with(r, 'urn:') OR starts_with(r, '#') THEN r
    ELSE nullif(regexp_extract(r, '([A-Za-z]+/[A-Za-z0-9.-]{1,64})(?:/_history/.*)?$', 1), '') END;
CREATE MACRO typed(ids, kind, word) AS list_filter(ids, lambda x: x.type = kind OR (x.type = '' AND contains(lower(x.system), word)))[1];
CREATE MACRO contained_ids(contained, r) AS fhir_ids(list_filter(contained, lambda c: '#' || c.id = r)[1].identifier);
CREATE MACRO study_in(ids) AS nullif(nullif(uid(coalesce(list_filter(ids, lambda x: x.system = 'urn:dicom:uid')[1].id, '')), '?'), '');
CREATE MACRO codings(concepts) AS flatten(list_transform(coalesce(concepts, []), lambda c: coalesce(c.coding, [])));
CREATE MACRO coded_modality(found) AS list_filter(list_transform(list_filter(found,
    lambda c: ends_with(c.system, 'v2-0074') OR contains(c.system, 'dicom') OR c.system = 'urn:oid:1.2.840.10008.2.16.4'),
    lambda c: section_modality(upper(trim(coalesce(c.code, ''))))), lambda m: m <> '')[1];
CREATE MACRO of_laboratory(found) AS len(list_filter(found, lambda c: laboratory(upper(trim(coalesce(c.code, '')))))) > 0;
CREATE MACRO readable(t) AS nullif(nullif(told_time(trim(coalesce(t, ''))), '?'), '');
CREATE TABLE known AS
SELECT key, any_value(issuer) AS issuer, any_value(patient_id) AS patient_id FROM (
    SELECT 'Patient/' || resource AS key, issuer, patient_id FROM people WHERE resource IS NOT NULL
    UNION ALL SELECT url, issuer, patient_id FROM people WHERE starts_with(url, 'urn:'))
WHERE patient_id IS NOT NULL GROUP BY key;
CREATE TABLE studies AS
SELECT seq, 'ImagingStudy/' || p.id AS key, url, study_in(fhir_ids(p.identifier)) AS study_uid, p.modality[1].code AS modality,
    list_transform(coalesce(p.basedOn, []), lambda b: target(b.reference)) AS orders
FROM newest_studies WHERE coalesce(p.status, '') NOT IN ('cancelled', 'entered-in-error');
CREATE TABLE requests AS
WITH told AS (
    SELECT *, fhir_ids(list_concat(coalesce(p.identifier, []), list_filter([p.requisition], lambda i: i IS NOT NULL))) AS ids,
        codings(p.category) AS categories
    FROM newest_requests
)
SELECT seq, own, 'ServiceRequest/' || p.id AS key, url, p.id AS resource, told_moment(p.meta.lastUpdated, happened) AS changed,
    typed(ids, 'ACSN', 'accession') AS accession, typed(ids, 'PLAC', 'placer').id AS placer, typed(ids, 'FILL', 'filler').id AS filler,
    contained_ids(p.contained, p.subject.reference) AS contained, target(p.subject.reference) AS subject, p.subject.identifier AS named,
    coalesce(p.status, '') AS status, coalesce(p.intent, '') IN ('proposal', 'plan', 'option') AS planned, of_laboratory(categories) AS laboratory,
    coalesce(coded_modality(categories), coded_modality(codings(p.orderDetail)), coded_modality(codings([p.code]))) AS modality,
    p.code.coding[1].code AS code, coalesce(p.code.text, p.code.coding[1].display) AS description, readable(p.authoredOn) AS ordered,
    coalesce(readable(p.occurrenceDateTime), readable(p.occurrencePeriod.start)) AS scheduled
FROM told;
CREATE TABLE studies_of AS
SELECT r.seq, arg_min(s.study_uid, s.seq) AS study_uid, arg_min(s.modality, s.seq) AS modality
FROM (SELECT seq, key FROM requests WHERE key IS NOT NULL UNION ALL SELECT seq, url FROM requests WHERE starts_with(url, 'urn:')) r
    JOIN (SELECT seq, study_uid, modality, unnest(orders) AS key FROM studies) s USING (key)
GROUP BY r.seq;
CREATE TABLE whole_requests AS
SELECT r.*, w.issuer, w.patient_id, s.study_uid, s.modality AS acquired
FROM requests r LEFT JOIN studies_of s USING (seq) LEFT JOIN (
    SELECT seq, whose.issuer, whose.id AS patient_id FROM (
        SELECT r.seq, whose(r.contained, k.issuer, k.patient_id, r.named) AS whose FROM requests r LEFT JOIN known k ON k.key = r.subject)
) w USING (seq);
DROP TABLE requests;
CREATE TABLE feed_orders AS
SELECT base || again(row_number() OVER (PARTITION BY base ORDER BY seq)) AS order_id, * EXCLUDE (base, seq) FROM (
    SELECT coalesce(resource, accession.id, filler, placer) AS base, seq, coalesce(issuer, '') AS issuer, patient_id,
        accession.id AS accession, CASE WHEN accession.id IS NOT NULL THEN accession_authority(accession.issuer) END AS accession_issuer,
        placer AS placer_order, filler AS filler_order, study_uid, code, description, coalesce(acquired, modality) AS modality,
        ordered, scheduled, coalesce(nullif(nullif(order_status(word(status)), ''), '?'), 'unknown') AS status, changed
    FROM whole_requests WHERE own AND NOT laboratory AND NOT planned
);
-- What a report points to: the first order and the first study that are there.
CREATE TABLE told_reports AS
SELECT seq, own, p.id AS resource, told_moment(p.meta.lastUpdated, happened) AS changed, fhir_ids(p.identifier) AS ids,
    contained_ids(p.contained, p.subject.reference) AS contained, target(p.subject.reference) AS subject, p.subject.identifier AS named,
    list_transform(coalesce(p.basedOn, []), lambda b: {'key': target(b.reference), 'ids': contained_ids(p.contained, b.reference), 'named': b.identifier})
        AS orders,
    list_transform(list_concat(coalesce(p.imagingStudy, []), coalesce(p.study, [])), lambda b: {'key': target(b.reference),
        'ids': contained_ids(p.contained, b.reference), 'named': b.identifier}) AS studies,
    coalesce(p.status, '') AS status, of_laboratory(codings(p.category)) AS laboratory,
    coalesce(coded_modality(codings(p.category)), coded_modality(codings([p.code]))) AS modality,
    p.code.coding[1].code AS code, coalesce(p.code.text, p.code.coding[1].display) AS description,
    coalesce(readable(p.issued), readable(p.effectiveDateTime), readable(p.effectivePeriod.start)) AS issued,
    list_max(list_concat([CASE WHEN trim(coalesce(p.conclusion, '')) <> '' THEN 2 ELSE 0 END],
        list_transform(coalesce(p.presentedForm, []), lambda f: CASE WHEN f.url IS NOT NULL THEN 1
            WHEN starts_with(lower(f.contentType), 'application/pdf') THEN 3 ELSE 2 END))) AS form
FROM newest_reports;
CREATE TABLE orders_of AS
SELECT seq, arg_min(accession, place) AS accession, arg_min(placer, place) AS placer, arg_min(filler, place) AS filler,
    arg_min(issuer, place) AS issuer, arg_min(patient_id, place) AS patient_id, arg_min(study_uid, place) AS study_uid,
    arg_min(modality, place) AS modality
FROM (
    SELECT b.seq, b.place, coalesce(r.accession, typed(b.found, 'ACSN', 'accession')) AS accession,
        coalesce(r.placer, typed(b.found, 'PLAC', 'placer').id) AS placer, coalesce(r.filler, typed(b.found, 'FILL', 'filler').id) AS filler,
        r.issuer, r.patient_id, r.study_uid, coalesce(r.acquired, r.modality) AS modality
    FROM (
        SELECT seq, place, orders[place].key AS key, list_concat(coalesce(orders[place].ids, []), fhir_ids([orders[place].named])) AS found
        FROM (SELECT seq, orders, unnest(range(1, len(orders) + 1)) AS place FROM told_reports)
    ) b LEFT JOIN (
        SELECT key AS target, * EXCLUDE (key, seq) FROM whole_requests WHERE key IS NOT NULL
        UNION ALL SELECT url AS target, * EXCLUDE (key, seq) FROM whole_requests WHERE starts_with(url, 'urn:')
    ) r ON r.target = b.key
) GROUP BY seq;
CREATE TABLE studies_pointed AS
SELECT seq, arg_min(study_uid, place) AS study_uid, arg_min(modality, place) AS modality FROM (
    SELECT b.seq, b.place, coalesce(s.study_uid, study_in(b.found)) AS study_uid, s.modality FROM (
        SELECT seq, place, studies[place].key AS key, list_concat(coalesce(studies[place].ids, []), fhir_ids([studies[place].named])) AS found
        FROM (SELECT seq, studies, unnest(range(1, len(studies) + 1)) AS place FROM told_reports)
    ) b LEFT JOIN (
        SELECT key AS target, study_uid, modality FROM studies WHERE key IS NOT NULL
        UNION ALL SELECT url, study_uid, modality FROM studies WHERE starts_with(url, 'urn:')
    ) s ON s.target = b.key
) GROUP BY seq;
CREATE TABLE feed_reports AS
WITH pointed AS (
    SELECT t.*, coalesce(typed(ids, 'ACSN', 'accession'), o.accession) AS accession,
        coalesce(typed(ids, 'PLAC', 'placer').id, o.placer) AS placer_order, coalesce(typed(ids, 'FILL', 'filler').id, o.filler) AS filler_order,
        whose(t.contained, k.issuer, k.patient_id, t.named) AS whose, o.issuer AS ordered_issuer, o.patient_id AS ordered_patient,
        coalesce(s.study_uid, o.study_uid) AS study_uid, coalesce(s.modality, t.modality, o.modality) AS read_modality
    FROM told_reports t LEFT JOIN orders_of o USING (seq) LEFT JOIN studies_pointed s USING (seq) LEFT JOIN known k ON k.key = t.subject
)
SELECT base || again(row_number() OVER (PARTITION BY base ORDER BY seq)) AS report_id, * EXCLUDE (base, seq) FROM (
    SELECT coalesce(resource, filler_order || coalesce('^' || code, ''), ids[1].id) AS base, seq,
        coalesce(CASE WHEN whose.id IS NULL THEN ordered_issuer ELSE whose.issuer END, '') AS issuer,
        coalesce(whose.id, ordered_patient) AS patient_id, accession.id AS accession,
        CASE WHEN accession.id IS NOT NULL THEN accession_authority(accession.issuer) END AS accession_issuer,
        placer_order, filler_order, study_uid, code, description, read_modality AS modality, issued,
        coalesce(nullif(nullif(report_status(word(status)), ''), '?'), 'unknown') AS status,
        ['none', 'link', 'text', 'pdf'][1 + form] AS form, changed
    FROM pointed WHERE own AND NOT laboratory
);

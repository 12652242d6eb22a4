-- What the archives hold, study by study: `study_parts`, a row a study, record, accession number and kind of object. `settings`
-- (context.py) made the macros is_report, bare_accession and one_issuer.
CREATE TEMP TABLE retold_values AS
SELECT source, location, max(after) FILTER (attribute = 'StudyDate') AS study_date, bool_or(attribute = 'StudyDate') AS dated,
    max(after) FILTER (attribute = 'AccessionNumber') AS accession, bool_or(attribute = 'AccessionNumber') AS numbered
FROM changes WHERE state = 'approved' AND attribute IN ('StudyDate', 'AccessionNumber') GROUP BY source, location;
CREATE TEMP TABLE study_parts AS
SELECT i.source, trim(i.StudyInstanceUID) AS study_uid, r.record_id,
    CASE WHEN a.numbered THEN a.accession ELSE i.AccessionNumber END AS accession, i.RequestAccessionNumbers AS requested,
    coalesce(nullif(trim(i.IssuerOfAccessionNumberEntityID), ''), '') AS accession_issuer,
    object_kind(i.SOPClassUID, i.DocumentTitleCode, i.Modality, i.pixel_length) AS kind,
    is_report(object_kind(i.SOPClassUID, i.DocumentTitleCode, i.Modality, i.pixel_length), i.SOPClassUID) AS report,
    coalesce(trim(i.CompletionFlag) = 'PARTIAL', false) AS unfinished,
    trim(coalesce(i.Modality, '')) AS modality, min(CASE WHEN a.dated THEN a.study_date ELSE i.StudyDate END) AS study_date,
    min(i.StudyDescription) AS description, count(*) AS objects
FROM instances i JOIN instance_records r USING (source, location) LEFT JOIN retold_values a USING (source, location)
WHERE trim(i.StudyInstanceUID) <> ''
GROUP BY ALL;
-- A person is settled when none of its records is in doubt by itself, as two persons under one identifier are. Two settled
-- persons are different ones, unless it is still asked whether these two are one (`persons_asked`, both ways).
CREATE TEMP TABLE person_states AS
SELECT person_id, bool_and(coalesce(settled OR reason = 'review', false)) AS settled FROM persons GROUP BY person_id;
CREATE TEMP TABLE persons_asked AS
WITH asked AS (
    SELECT DISTINCT unnest([a.person_id, b.person_id]) AS person, unnest([b.person_id, a.person_id]) AS other
    FROM pairs JOIN persons a ON a.record_id = pairs.record_a JOIN persons b ON b.record_id = pairs.record_b
    WHERE pairs.band = 'review' AND pairs.decided IS NULL AND a.person_id <> b.person_id
), through AS (
    -- a feed's patient without studies that either of two persons may be; of many it may be, it says nothing
    SELECT person, other FROM asked ANTI JOIN (SELECT DISTINCT person_id FROM instance_records JOIN persons USING (record_id)) o ON o.person_id = asked.other
    QUALIFY count(*) OVER (PARTITION BY other) <= 20
)
SELECT person, other FROM asked
UNION
SELECT x.person, y.person FROM through x JOIN through y USING (other) WHERE x.person <> y.person;
CREATE TEMP TABLE whole_studies AS
SELECT study_uid, min(source_day(study_date)) AS day, arg_min(p.source, coalesce(s.position, 1000000)) AS source,
    list(DISTINCT upper(p.modality)) FILTER (p.modality <> '') AS modalities, min(plain_words(p.description)) AS description,
    coalesce(bool_or(p.kind = 'image'), false) AS pictured, bool_or(report) AS reported, bool_or(report AND NOT unfinished) AS finished
FROM study_parts p LEFT JOIN sources s USING (source) GROUP BY study_uid;
CREATE TEMP TABLE whose_studies AS
SELECT p.study_uid, n.person_id, any_value(w.settled) AS settled FROM (SELECT DISTINCT study_uid, record_id FROM study_parts) p
    JOIN persons n USING (record_id) JOIN person_states w USING (person_id) GROUP BY p.study_uid, n.person_id;
-- Whose a study is, where that is one person
CREATE TEMP TABLE whose_study AS
SELECT study_uid, min(person_id) AS person_id FROM whose_studies GROUP BY study_uid HAVING count(*) = 1;
-- Each accession number of a study; those of Request Attributes Sequence (0040,0275) have the object's issuer.
CREATE TEMP TABLE carried_numbers AS
WITH every AS (
    SELECT source, study_uid, record_id, accession_issuer, kind, report, study_date, unfinished,
        unnest(list_distinct([accession] || coalesce(requested, []))) AS accession
    FROM study_parts
)
SELECT e.source, coalesce(nullif(e.accession_issuer, ''), s.accession_issuer, '') AS issuer, e.accession, e.study_uid,
    p.person_id, coalesce(w.settled, false) AS settled, min(source_day(e.study_date)) AS day, bool_or(e.report) AS report,
    bool_or(e.report AND NOT e.unfinished) AS finished, bool_or(e.kind = 'image') AS pictured
FROM every e LEFT JOIN sources s USING (source) LEFT JOIN persons p USING (record_id) LEFT JOIN person_states w USING (person_id)
WHERE trim(e.accession) <> ''
GROUP BY ALL

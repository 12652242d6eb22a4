-- Whose studies they are. Records without a person (matching not run yet) are told apart by source, issuer and Patient ID.
-- What is compared is a person's part of a study: of a study that several persons share (class g) the part of each, of
-- any other the whole.
CREATE TEMP TABLE record_studies AS
WITH held AS (SELECT DISTINCT source, study_uid, record_id FROM instance_records WHERE trim(study_uid) <> ''),
strangers AS (SELECT DISTINCT record_id FROM held ANTI JOIN persons USING (record_id)),
named AS (
    SELECT record_id, concat_ws('|', source, trim(issuer), trim(PatientID)) AS name FROM patient_records SEMI JOIN strangers USING (record_id)
    WHERE trim(PatientID) <> ''
), owned AS (
    SELECT h.source, h.study_uid, h.record_id, p.person_id, coalesce(p.person_id, n.name, h.record_id) AS whose
    FROM held h LEFT JOIN persons p USING (record_id) LEFT JOIN named n USING (record_id)
), shared AS (SELECT study_uid FROM owned GROUP BY study_uid HAVING min(whose) <> max(whose))
SELECT o.*, CASE WHEN s.study_uid IS NULL THEN o.study_uid ELSE concat_ws('!', o.study_uid, left(sha256(whose), 16)) END AS part
FROM owned o LEFT JOIN shared s USING (study_uid);
CREATE TEMP TABLE shared_parts AS
WITH shared AS (SELECT DISTINCT study_uid, record_id, part FROM record_studies WHERE part <> study_uid)
SELECT r.source, r.location, s.part FROM instance_records r JOIN shared s USING (study_uid, record_id);
-- persons that may be one, both ways: it is still asked
CREATE TEMP TABLE asked_persons AS
WITH asked AS (
    SELECT DISTINCT unnest([a.person_id, b.person_id]) AS person, unnest([b.person_id, a.person_id]) AS other
    FROM pairs JOIN persons a ON a.record_id = pairs.record_a JOIN persons b ON b.record_id = pairs.record_b
    WHERE pairs.band = 'review' AND pairs.decided IS NULL AND a.person_id <> b.person_id
), owners AS (SELECT DISTINCT person_id FROM record_studies WHERE person_id IS NOT NULL),
through AS (
    -- a feed's patient without studies that either of two persons may be; of many it may be, it says nothing
    SELECT person, other FROM asked ANTI JOIN owners ON owners.person_id = asked.other
    QUALIFY count(*) OVER (PARTITION BY other) <= 20
)
SELECT person, other FROM asked
UNION
SELECT x.person, y.person FROM through x JOIN through y USING (other) WHERE x.person <> y.person

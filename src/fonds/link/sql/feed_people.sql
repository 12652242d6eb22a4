-- The rows of feeds, orders and reports alike, and whose they are: `feed_told`. An identifier that several persons have, and one
-- without issuer that isn't unambiguous, names nobody.
CREATE TEMP TABLE feed_rows AS
SELECT feed, 'order' AS kind, order_id AS id, * EXCLUDE (feed, order_id), coalesce(scheduled, ordered) AS at FROM feed_orders
UNION ALL BY NAME
SELECT feed, 'report' AS kind, report_id AS id, * EXCLUDE (feed, report_id), issued AS at FROM feed_reports;
CREATE TEMP TABLE known_identifiers AS
WITH every AS (
    SELECT upper(trim(m.issuer)) AS issuer, trim(m.PatientID) AS id, p.person_id
    FROM match_records m JOIN persons p USING (record_id)
    UNION
    SELECT upper(trim(o.issuer)), trim(o.id), p.person_id
    FROM (SELECT record_id, unnest(other_ids) AS o FROM match_records) m JOIN persons p USING (record_id)
    WHERE trim(o.issuer) <> ''
)
SELECT issuer, id, plain_id(id) AS plain, person_id FROM every WHERE plain_id(id) IS NOT NULL;
CREATE TEMP TABLE feed_asked AS
SELECT DISTINCT feed, upper(trim(coalesce(issuer, ''))) AS issuer, trim(patient_id) AS id, plain_id(patient_id) AS plain
FROM feed_rows WHERE plain_id(patient_id) IS NOT NULL;
CREATE TEMP TABLE feed_people AS
WITH meeting AS (
    -- one spelling of the identifier, then all of them; without an issuer the feed's own patients, then everybody's
    SELECT a.feed, a.issuer, a.id, CASE WHEN i.id = a.id THEN 1 ELSE 2 END AS place, i.person_id
    FROM feed_asked a JOIN known_identifiers i ON i.issuer = a.issuer AND i.plain = a.plain WHERE a.issuer <> ''
    UNION ALL
    SELECT a.feed, a.issuer, a.id, CASE WHEN i.issuer = upper('feed ' || a.feed) THEN 3 ELSE 4 END, i.person_id
    FROM feed_asked a JOIN known_identifiers i ON i.plain = a.plain WHERE a.issuer = ''
), counted AS (
    SELECT feed, issuer, id, place, min(person_id) AS person_id, count(DISTINCT person_id) AS persons
    FROM meeting GROUP BY ALL
), first AS (
    FROM counted QUALIFY row_number() OVER (PARTITION BY feed, issuer, id ORDER BY place) = 1
)
SELECT feed, issuer, id, person_id FROM first WHERE persons = 1;
CREATE TEMP TABLE feed_told AS
SELECT r.feed, r.kind, r.id, p.person_id, coalesce(w.settled, false) AS settled, nullif(trim(r.study_uid), '') AS study_uid,
    nullif(trim(r.accession), '') AS accession, coalesce(trim(r.accession_issuer), '') AS issuer,
    accession_form(r.placer_order) AS placer, accession_form(r.filler_order) AS filler,
    nullif(upper(trim(r.modality)), '') AS modality, nullif(plain_words(r.description), '') AS description,
    iso_day(r.at) AS day, iso_day(r.scheduled) AS scheduled, iso_day(r.ordered) AS ordered, coalesce(r.status, 'unknown') AS status,
    iso_day(r.changed) AS changed
FROM feed_rows r LEFT JOIN feed_people p
    ON p.feed = r.feed AND p.issuer = upper(trim(coalesce(r.issuer, ''))) AND p.id = trim(r.patient_id)
    LEFT JOIN person_states w USING (person_id)

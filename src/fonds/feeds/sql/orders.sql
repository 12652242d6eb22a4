-- Events of orders (`keyed`) as the orders they lead to. `events`: rows are events, so a filler order moves with its number.
-- What only some rows tell is filled in where it is unmistakable: the filler order of a placer order or an accession
-- number, and the accession number of either.
CREATE TABLE filler_of_placer AS SELECT placer_key, min(filler_key) AS only_filler FROM keyed
WHERE placer_key IS NOT NULL GROUP BY placer_key
HAVING min(filler_key) = max(filler_key) AND count(*) > count(filler_key);
CREATE TABLE filler_of_accession AS SELECT accession, accession_issuer, min(filler_key) AS only_filler FROM keyed
WHERE accession IS NOT NULL GROUP BY ALL HAVING min(filler_key) = max(filler_key) AND count(*) > count(filler_key);
CREATE TABLE filled AS
SELECT k.* REPLACE (coalesce(k.filler_key, p.only_filler, a.only_filler) AS filler_key)
FROM keyed k LEFT JOIN filler_of_placer p USING (placer_key)
    LEFT JOIN filler_of_accession a ON a.accession = k.accession AND a.accession_issuer = k.accession_issuer;
DROP TABLE keyed;
CREATE TABLE accession_of_filler AS SELECT filler_key, any_value(accession) AS accession, any_value(accession_issuer) AS accession_issuer
FROM (SELECT DISTINCT filler_key, accession, accession_issuer FROM filled SEMI JOIN (
        SELECT filler_key FROM filled WHERE filler_key IS NOT NULL AND accession IS NULL) USING (filler_key)
    WHERE accession IS NOT NULL)
GROUP BY filler_key HAVING count(*) = 1;
CREATE TABLE accession_of_placer AS SELECT placer_key, any_value(accession) AS accession, any_value(accession_issuer) AS accession_issuer
FROM (SELECT DISTINCT placer_key, accession, accession_issuer FROM filled SEMI JOIN (
        SELECT placer_key FROM filled WHERE placer_key IS NOT NULL AND filler_key IS NULL AND accession IS NULL) USING (placer_key)
    WHERE accession IS NOT NULL)
GROUP BY placer_key HAVING count(*) = 1;
CREATE TABLE accessioned AS
SELECT f.* REPLACE (coalesce(f.accession, a.accession, b.accession) AS accession,
    CASE WHEN f.accession IS NOT NULL THEN f.accession_issuer ELSE coalesce(a.accession_issuer, b.accession_issuer) END AS accession_issuer)
FROM filled f LEFT JOIN accession_of_filler a USING (filler_key) LEFT JOIN accession_of_placer b USING (placer_key);
DROP TABLE filled;
CREATE TABLE owners AS SELECT accession, accession_issuer, min(issuer) AS issuer, min(patient_id) AS patient_id FROM accessioned
WHERE accession IS NOT NULL GROUP BY ALL
HAVING count(*) > count(patient_id) AND min(patient_id) = max(patient_id) AND min(issuer) = max(issuer);
-- An accession number may have several procedures, each a part with a life of its own.
CREATE TABLE parts AS
WITH whose AS (
    SELECT a.* REPLACE (coalesce(a.patient_id, o.patient_id) AS patient_id, coalesce(a.issuer, o.issuer) AS issuer)
    FROM accessioned a LEFT JOIN owners o ON o.accession = a.accession AND o.accession_issuer = a.accession_issuer
), parted AS (
    SELECT *, CASE WHEN filler_key IS NOT NULL AND events() THEN [filler_key]
        WHEN accession IS NOT NULL THEN [accession, accession_issuer, issuer, patient_id]
        WHEN filler_key IS NOT NULL THEN [filler_key, 'filler', issuer, patient_id]
        WHEN events() THEN [placer_key, 'placer'] ELSE [placer_key, 'placer', issuer, patient_id] END AS part
    FROM whose
)
SELECT part, arg_max(issuer, place) AS issuer, arg_max(patient_id, place) AS patient_id, arg_max(accession, place) AS accession,
    arg_max(accession_issuer, place) FILTER (accession IS NOT NULL) AS accession_issuer, arg_max(placer, place) AS placer,
    arg_max(filler, place) AS filler, arg_max(study_uid, place) AS study_uid, arg_max(code, place) AS code,
    arg_max(description, place) AS description, arg_max(modality, place) AS modality, arg_max(ordered, place) AS ordered,
    arg_max(scheduled, place) AS scheduled, arg_max(changed, place) AS changed,
    max(place) AS place, min(place) AS first_place,
    CASE WHEN arg_max(status, place) = 'cancelled' AND max(place) FILTER (opens) > max(place) FILTER (status IS NOT NULL) THEN 'open'
        ELSE coalesce(arg_max(status, place), CASE WHEN bool_or(controlled) THEN 'open' END, 'unknown') END AS status
FROM parted GROUP BY part;
DROP TABLE accessioned;
CREATE TABLE feed_orders AS
WITH ranked_parts AS (
    -- what an accession number's procedures tell is that of the last one that wasn't cancelled
    SELECT *, place + CASE status WHEN 'cancelled' THEN 0::HUGEINT ELSE 1000000000000000000000000000000000 END AS preferred,
        coalesce(accession, filler, placer) AS base, CASE WHEN accession IS NULL THEN part END AS own_part
    FROM parts
), orders AS (
    SELECT base, accession, accession_issuer, issuer, patient_id, arg_max(placer, preferred) AS placer_order,
        arg_max(filler, preferred) AS filler_order, arg_max(study_uid, preferred) AS study_uid, arg_max(code, preferred) AS code,
        arg_max(description, preferred) AS description, arg_max(modality, preferred) AS modality,
        arg_max(ordered, preferred) AS ordered, arg_max(scheduled, preferred) AS scheduled,
        CASE WHEN bool_or(status = 'performed') THEN 'performed' WHEN bool_or(status = 'open') THEN 'open'
            WHEN bool_or(status = 'unknown') THEN 'unknown' ELSE 'cancelled' END AS status,
        arg_max(changed, place) AS changed, min(first_place) AS first_place
    FROM ranked_parts GROUP BY base, accession, accession_issuer, issuer, patient_id, own_part
)
SELECT base || again(row_number() OVER (PARTITION BY base ORDER BY first_place, accession_issuer)) AS order_id,
    coalesce(issuer, '') AS issuer, patient_id, accession, accession_issuer, placer_order, filler_order,
    nullif(study_uid, '') AS study_uid, nullif(code, '') AS code, nullif(description, '') AS description,
    nullif(modality, '') AS modality, nullif(ordered, '') AS ordered, nullif(scheduled, '') AS scheduled, status, changed
FROM orders;

-- FHIR R4 and R4B Patients, one version of each, as events. `parsed` holds (seq, own, url, p): place in
-- the feed, whether the file is one of patients, fullUrl in a Bundle, the resource.
-- The newest version of a resource counts; one without an id is a resource of its own.
CREATE TABLE versions AS SELECT seq, p.id AS id, moment(coalesce(p.meta.lastUpdated, '')) AS happened FROM parsed
WHERE p.resourceType = 'Patient';
CREATE TABLE older AS
SELECT seq FROM versions SEMI JOIN (SELECT id FROM versions GROUP BY id HAVING count(*) > 1) USING (id)
QUALIFY row_number() OVER (PARTITION BY id ORDER BY happened DESC NULLS LAST, seq DESC) > 1;
CREATE TABLE people AS
WITH named AS (
    SELECT seq, own, url, p.id AS resource, moment(coalesce(p.meta.lastUpdated, '')) AS happened, p,
        ranked(list_transform(coalesce(p.name, []), lambda n: {
            'use': coalesce(n.use, ''),
            'rep': coalesce(list_filter(n.extension, lambda e: ends_with(e.url, 'EN-representation'))[1].valueCode,
                script(concat(n.family, n.text, array_to_string(n.given, '')))),
            -- a name that is told as a text only has no parts to tell
            'pn': CASE WHEN n.family IS NULL AND n.given IS NULL THEN pn_part(n.text)
                ELSE pn(n.family, n.given[1], array_to_string(n.given[2:], ' '), array_to_string(n.prefix, ' '),
                    array_to_string(n.suffix, ' ')) END})) AS names,
        fhir_ids(p.identifier) AS ids,
        list_filter(coalesce(p.address, []), lambda a: coalesce(a.use, '') NOT IN ('old', 'billing')) AS addresses,
        list_filter(coalesce(p.telecom, []), lambda t: t.system IN ('phone', 'sms') AND coalesce(t.use, '') <> 'old') AS phones
    FROM parsed ANTI JOIN older USING (seq) WHERE p.resourceType = 'Patient'
)
SELECT seq, own, url, resource, happened, told_moment(p.meta.lastUpdated, happened) AS changed, p.link AS links, p.active,
    p.birthDate AS birth, ids[place].id AS patient_id, issuer_or_own(ids[place].issuer) AS issuer, other_ids_of(ids, place) AS other_ids,
    national_of(ids) AS national_id, name_of(names) AS PatientName, birth_name_of(names) AS PatientBirthName,
    p.gender AS sex_code, trim(coalesce(coalesce(list_filter(phones, lambda t: t.use = 'home')[1],
        list_filter(phones, lambda t: t.use = 'mobile')[1], phones[1]).value, '')) AS phone,
    coalesce(list_filter(addresses, lambda a: a.use = 'home')[1], addresses[1]) AS home,
    coalesce(list_filter(p.extension, lambda e: ends_with(e.url, 'patient-mothersMaidenName'))[1].valueString, '') AS mother,
    CASE WHEN p.deceasedBoolean THEN 'true' ELSE coalesce(left(p.deceasedDateTime, 10), '') END AS deceased,
    coalesce((p.multipleBirthInteger > 0)::VARCHAR, p.multipleBirthBoolean::VARCHAR, '') AS multiple_birth
FROM (SELECT *, first_of(id_ranks(ids)) AS place FROM named);
-- Of two resources with one identifier: one that is in use, then the newer one.
CREATE TABLE second AS
SELECT seq FROM people SEMI JOIN (SELECT issuer, patient_id FROM people GROUP BY ALL HAVING count(*) > 1) USING (issuer, patient_id)
QUALIFY row_number() OVER (PARTITION BY issuer, patient_id ORDER BY active IS DISTINCT FROM false DESC,
    happened DESC NULLS LAST, seq DESC) > 1;
INSERT INTO told BY NAME
SELECT seq, happened, changed, 'upsert' AS kind, issuer, patient_id, PatientName, PatientBirthName,
    CASE WHEN regexp_full_match(coalesce(birth, ''), '\d{4}-\d{2}-\d{2}') THEN replace(birth, '-', '')
        ELSE coalesce(birth, '') END AS PatientBirthDate,
    sex(coalesce(sex_code, '')) AS PatientSex, phone, pn_part(array_to_string(home.line, ' ')) AS street,
    trim(coalesce(home.postalCode, '')) AS postcode, pn_part(home.city) AS city, pn_part(mother) AS mother, national_id,
    other_ids, CASE WHEN active = false THEN 'inactive' ELSE 'active' END AS status,
    deceased, multiple_birth
FROM people ANTI JOIN second USING (seq) WHERE own AND patient_id IS NOT NULL;
-- A link names the other resource, or an identifier of it. `seealso` and `refer` join nobody.
CREATE TABLE linked AS
WITH unnested AS (
    SELECT seq, happened, changed, issuer, patient_id, unnest(links) AS link FROM people WHERE own AND links IS NOT NULL
), joining AS (
    SELECT *, regexp_extract(link.other.reference, '(?:^|/)Patient/([A-Za-z0-9.-]{1,64})(?:/_history/.*)?$', 1) AS other
    FROM unnested WHERE link.type IN ('replaced-by', 'replaces')
)
SELECT j.seq, j.happened, j.changed, j.link.type AS event, j.issuer, j.patient_id,
    coalesce(o.issuer, issuer_or_own(renamed(trim(j.link.other.identifier.system)))) AS other_issuer,
    coalesce(o.patient_id, nullif(trim(j.link.other.identifier.value), '')) AS other_id
FROM joining j LEFT JOIN people o ON o.resource = j.other;
INSERT INTO merging BY NAME
SELECT seq, happened, changed, event, 'merge' AS kind, issuer AS retired_issuer, patient_id AS retired_id, other_issuer AS issuer,
    other_id AS patient_id FROM linked WHERE event = 'replaced-by'
UNION ALL
SELECT seq, happened, changed, event, 'merge', other_issuer, other_id, issuer, patient_id FROM linked WHERE event = 'replaces';

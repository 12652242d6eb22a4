-- How HL7 v2 and FHIR write what orders and reports have in common. Texts are never NULL here.
-- EI: number ^ name space ^ universal ID ^ its type; a text without a caret is the number. CE, CWE: code ^ text ^ scheme ^ …
CREATE MACRO parts_of(t) AS list_transform(string_split(split_part(t, '~', 1), '^'), lambda x: hl7(x));
CREATE MACRO number_of(c) AS CASE WHEN component(c, 1) = '""' THEN NULL ELSE nullif(component(c, 1), '') END;
CREATE MACRO authority_of(c) AS authority(component(c, 2), component(c, 3));
-- A UID, or a pointer (RP) or identifier that begins with one; '?' for what is none (PS3.5 9.1).
CREATE MACRO plain_uid(t) AS regexp_replace(split_part(t, '^', 1), '^(?i:urn:oid:)|\s', '', 'g');
CREATE MACRO uid(t) AS CASE WHEN t IN ('', '""') THEN t
    WHEN regexp_full_match(plain_uid(t), '[0-9]+(\.[0-9]+)+') AND length(plain_uid(t)) <= 64 THEN plain_uid(t) ELSE '?' END;
CREATE MACRO word(t) AS replace(replace(upper(trim(t)), ' ', '-'), '_', '-');
-- A time as it is told, in the clock it is told in, with its zone where there is one; '?' for one that can't be read.
CREATE MACRO zone_of(t) AS CASE WHEN length(t) > 10 THEN regexp_extract(t, '(\d{2}|\.\d+)(Z|[+-]\d{2}:?\d{2})$', 2) ELSE '' END;
CREATE MACRO clock(t, zone) AS TRY_CAST(iso(left(t, length(t) - length(zone))) AS TIMESTAMP);
CREATE MACRO told_time(t) AS CASE WHEN t IN ('', '""') THEN t
    WHEN own_moment(t) IS NOT NULL THEN strftime(own_moment(t), '%Y-%m-%dT%H:%M:%S')
    WHEN regexp_full_match(t, '\d{8}|\d{4}-\d{2}-\d{2}') THEN coalesce(strftime(clock(t, ''), '%Y-%m-%d'), '?')
    WHEN length(t) < 10 THEN '?'
    ELSE coalesce(strftime(clock(t, zone_of(t)), '%Y-%m-%dT%H:%M:%S') || regexp_replace(zone_of(t), '(\d{2})(\d{2})$', '\1:\2'), '?')
    END;
-- Later ones win; without a time, in the order of the feed.
CREATE MACRO place_of(happened, seq) AS epoch_us(coalesce(happened, TIMESTAMP 'epoch'))::HUGEINT * 1000000000000 + seq;
CREATE MACRO accession_authority(t) AS coalesce(nullif(t, ''), own_accession_issuer());
-- Whose a FHIR resource is: of identifiers of a contained Patient, of a Patient that is known, of a logical reference.
CREATE MACRO whose(contained, known_issuer, known_id, named) AS CASE
    WHEN len(contained) > 0 THEN {'issuer': issuer_or_own(contained[first_of(id_ranks(contained))].issuer),
        'id': contained[first_of(id_ranks(contained))].id}
    WHEN known_id IS NOT NULL THEN {'issuer': known_issuer, 'id': known_id}
    WHEN trim(named.value) <> '' THEN {'issuer': issuer_or_own(renamed(trim(coalesce(named.system, '')))), 'id': trim(named.value)} END;

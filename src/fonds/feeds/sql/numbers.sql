-- Rows of a table of orders or reports (every field a text, '' where it says nothing) with the numbers they go by, and
-- what both tell. NULL: not told, '': told to have none.
CREATE TABLE numbered AS
WITH split AS (
    -- once each: what a macro is given, it repeats
    SELECT *, parts_of(coalesce(nullif(accession, ''), "IPC-1")) AS accessions,
        parts_of(coalesce(nullif(placer_order, ''), "OBR-2")) AS placers,
        parts_of(coalesce(nullif(filler_order, ''), "OBR-3")) AS fillers, parts_of("OBR-4") AS procedure,
        parts_of(modality) AS modalities, uid(coalesce(nullif(study_uid, ''), nullif("IPC-3", ''), observed_uid)) AS study,
        CASE WHEN "PID-3" <> '' THEN cx("PID-3") WHEN patient_id IN ('', '""') THEN []
            ELSE [{'id': patient_id, 'issuer': renamed(issuer), 'system': issuer, 'type': '', 'use': 'first'}] END AS ids,
        moment_here(moved) AS happened
    FROM rows
), owned AS (SELECT *, ids[first_of(id_ranks(ids))] AS owner FROM split)
SELECT row AS seq, happened, place_of(happened, row) AS place, told_moment(moved, happened) AS changed,
    CASE WHEN owner IS NOT NULL THEN issuer_or_own(owner.issuer) END AS issuer, owner.id AS patient_id,
    number_of(accessions) AS accession, coalesce(nullif(renamed(accession_issuer), ''), authority_of(accessions)) AS accession_issuer,
    number_of(placers) AS placer, authority_of(placers) AS placer_space,
    number_of(fillers) AS filler, authority_of(fillers) AS filler_space,
    given(CASE study WHEN '?' THEN '' ELSE study END) AS study_uid, study = '?' AS no_uid,
    odd_time OR (moved NOT IN ('', '""') AND happened IS NULL) AS odd_time,
    given(coalesce(nullif(code, ''), nullif(component(procedure, 1), ''), component(procedure, 4))) AS code,
    given(coalesce(nullif(description, ''), nullif(component(procedure, 2), ''), component(procedure, 5))) AS description,
    given(coalesce(nullif(upper(component(modalities, 1)), ''), section_modality(upper("OBR-24")), '')) AS modality,
    * EXCLUDE (row, happened, patient_id, issuer, accession, accession_issuer, placer_order, filler_order, study_uid, study,
        code, description, modality, changed, moved, accessions, placers, fillers, procedure, modalities, ids, owner,
        observed_uid, odd_time, "PID-3", "OBR-2", "OBR-3", "OBR-4", "IPC-1", "IPC-3", "OBR-24")
FROM owned WHERE NOT laboratory(upper("OBR-24"));

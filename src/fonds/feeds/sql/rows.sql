-- Rows of a table (every field a text, '' where it says nothing) as events. `partial` is set where rows are events: then
-- an empty field says nothing, and "" says that there is no value (HL7 v2.9 2.5.3); else a row is the whole patient.
CREATE OR REPLACE TABLE read_rows AS
SELECT *, first_of(id_ranks(ids)) AS place FROM (
WITH split AS (
    -- once each: what a macro is given, it repeats
    SELECT *, cx("PID-3") AS listed, cx(other_ids) AS others, cx("MRG-1") AS listed_retired, xpn("PID-5") AS names,
        xpn("PID-6") AS mothers, string_split(split_part("PID-11", '~', 1), '^') AS address, moment_here(changed) AS happened,
        moment_here(deceased) AS died
    FROM rows
)
SELECT row AS seq, kind, code, happened, changed,
    CASE WHEN "PID-3" <> '' THEN listed WHEN patient_id IN ('', '""') THEN []
        ELSE [{'id': patient_id, 'issuer': renamed(issuer), 'system': issuer, 'type': '', 'use': 'first'}] END || others AS ids,
    CASE WHEN "MRG-1" <> '' THEN listed_retired WHEN retired_id IN ('', '""') THEN []
        ELSE [{'id': retired_id, 'issuer': renamed(retired_issuer), 'system': retired_issuer, 'type': '', 'use': ''}] END AS retired,
    coalesce(nullif(rtrim(PatientName, ' ^='), ''), nullif(name_of(names), ''),
        nullif(pn("PID-5.1", "PID-5.2", "PID-5.3", "PID-5.5", "PID-5.4" || ' ' || "PID-5.6"), ''),
        CASE WHEN "PID-5" = '""' THEN '""' END, '') AS PatientName,
    coalesce(nullif(rtrim(PatientBirthName, ' ^='), ''), birth_name_of(names)) AS PatientBirthName,
    birth_day(PatientBirthDate) AS PatientBirthDate, sex(PatientSex) AS PatientSex,
    coalesce(nullif(phone, ''), CASE WHEN "PID-13" = '""' THEN '""' ELSE xtn("PID-13") END) AS phone,
    coalesce(nullif(street, ''), pn_part(hl7(sub(component(address, 1), 1)))) AS street,
    coalesce(nullif(postcode, ''), hl7(component(address, 5))) AS postcode,
    coalesce(nullif(city, ''), pn_part(hl7(component(address, 3)))) AS city,
    coalesce(nullif(mother, ''), CASE WHEN "PID-6" = '""' THEN '""' ELSE coalesce(mothers[1].pn, '') END) AS mother,
    national_id, CASE WHEN lower(status) IN ('inactive', 'false', '0', 'no') THEN 'inactive'
        WHEN status = '' AND partial() THEN '' ELSE 'active' END AS status,
    CASE WHEN lower(deceased) IN ('y', 'yes', 'true', '1') THEN 'true' WHEN lower(deceased) IN ('n', 'no', 'false', '0') THEN '""'
        ELSE coalesce(strftime(died, '%Y-%m-%d'), deceased) END AS deceased_day,
    CASE WHEN lower(multiple_birth) IN ('y', 'yes', 'true', '1') THEN 'true'
        WHEN lower(multiple_birth) IN ('n', 'no', 'false', '0') THEN 'false' ELSE '' END AS multiple
FROM split
);

-- What a feed tells, as events: of patients (NULL: not told, '': told to have none), and of identifiers that were merged.
CREATE TABLE told (seq BIGINT, happened TIMESTAMP, changed VARCHAR, kind VARCHAR, issuer VARCHAR, patient_id VARCHAR,
    PatientName VARCHAR, PatientBirthName VARCHAR, PatientBirthDate VARCHAR, PatientSex VARCHAR, phone VARCHAR, street VARCHAR,
    postcode VARCHAR, city VARCHAR, mother VARCHAR, national_id VARCHAR,
    other_ids STRUCT(id VARCHAR, issuer VARCHAR, type VARCHAR)[], status VARCHAR, deceased VARCHAR, multiple_birth VARCHAR);
CREATE TABLE merging (seq BIGINT, happened TIMESTAMP, changed VARCHAR, event VARCHAR, kind VARCHAR, retired_issuer VARCHAR,
    retired_id VARCHAR, issuer VARCHAR, patient_id VARCHAR);

INSERT INTO told BY NAME
SELECT seq, happened, told_moment(changed, happened) AS changed,
    CASE WHEN kind = 'merge' THEN 'upsert' ELSE kind END AS kind, issuer_or_own(ids[place].issuer) AS issuer,
    ids[place].id AS patient_id, given(PatientName) AS PatientName, given(PatientBirthName) AS PatientBirthName,
    given(PatientBirthDate) AS PatientBirthDate, given(PatientSex) AS PatientSex, given(phone) AS phone,
    given(street) AS street, given(postcode) AS postcode, given(city) AS city, given(mother) AS mother,
    given(coalesce(nullif(national_id, ''), national_of(ids))) AS national_id, other_ids_of(ids, place) AS other_ids,
    given(status) AS status, given(deceased_day) AS deceased, given(multiple) AS multiple_birth
FROM read_rows WHERE kind IN ('upsert', 'merge', 'remove') AND len(ids) > 0;

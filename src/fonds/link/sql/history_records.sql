SELECT record_id, source, issuer, PatientID, PatientName, PatientBirthDate, PatientSex, p.settled, p.reason
FROM match_records m JOIN persons p USING (record_id) WHERE p.person_id = $person
UNION ALL
SELECT record_id, source, issuer, PatientID, PatientName, PatientBirthDate, PatientSex, p.settled, p.reason
FROM patient_records r LEFT JOIN persons p USING (record_id)
WHERE coalesce(p.person_id, r.record_id) = $person AND NOT EXISTS (FROM match_records)
ORDER BY source, PatientID, record_id

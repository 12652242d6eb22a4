-- Identifiers that carry two people's demographics
WITH told AS (
    SELECT unnest([record_a, record_b]) AS record_id FROM pairs
    WHERE outcome = 'overlay' AND decided IS DISTINCT FROM 'link'
)
SELECT string_agg(DISTINCT source, ', ' ORDER BY source) AS source, issuer, PatientID AS patient_id, count(*) AS records,
    sum(studies)::BIGINT AS studies
FROM match_records SEMI JOIN told USING (record_id) GROUP BY issuer, PatientID ORDER BY studies DESC, issuer, patient_id

-- Identifiers that carry two people's demographics
SELECT source, issuer, patient_id, list_transform(contradicts, lambda said: replace(said, '_', ' ')) AS contradicts, studies
FROM overlays ORDER BY studies DESC, source, issuer, patient_id, record_a, record_b

-- identifiers of records as matching read them; before it has run, as the archives say them
WITH every AS (
    SELECT record_id, source, issuer, trim(PatientID) AS id FROM match_records
    UNION ALL
    SELECT record_id, source, trim(o.issuer), trim(o.id) FROM (SELECT record_id, source, unnest(other_ids) AS o FROM match_records)
    UNION ALL
    SELECT r.record_id, r.source, coalesce(nullif(trim(r.issuer), ''), s.issuer), trim(r.PatientID)
    FROM patient_records r LEFT JOIN sources s USING (source) WHERE NOT EXISTS (FROM match_records)
)
SELECT coalesce(p.person_id, e.record_id) AS person_id,
    concat('identifier', CASE WHEN count(DISTINCT nullif(e.issuer, '')) > 0 THEN ' of ' END, string_agg(DISTINCT nullif(e.issuer, ''), ', '), ' in ', string_agg(DISTINCT e.source, ', ')) AS why,
    bool_or(e.id = trim($identifier)) AS exact
FROM every e LEFT JOIN persons p USING (record_id)
WHERE plain_id(e.id) = plain_id($identifier) AND ($issuer::VARCHAR IS NULL OR upper(trim(e.issuer)) = upper($issuer))
GROUP BY coalesce(p.person_id, e.record_id)

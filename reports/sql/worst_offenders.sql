-- Where most of the weighted failures come from: six of each kind. Fewer than five patients are never counted out.
SELECT CASE kind WHEN 'check' THEN 'Checks' WHEN 'device' THEN 'Devices' ELSE 'Modality and year' END AS kind, name, source,
    failed, weighted, share, CASE WHEN records BETWEEN 1 AND 4 THEN '<5' ELSE nullif(records, 0)::VARCHAR END AS patients
FROM worst_offenders
QUALIFY row_number() OVER (PARTITION BY worst_offenders.kind ORDER BY weighted DESC, name, source) <= 6
ORDER BY list_position(['check', 'device', 'cell'], worst_offenders.kind), weighted DESC, name, source

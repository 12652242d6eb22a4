-- One identifier with two people's demographics: two records that it holds, what of them contradicts (comparison and the
-- level reached, the strongest first), and how many studies the plan holds until the source has told them apart.
CREATE OR REPLACE VIEW overlays AS
SELECT CASE WHEN a.source = b.source THEN a.source ELSE concat(a.source, ', ', b.source) END AS source, a.issuer,
    a.PatientID AS patient_id, p.record_a, p.record_b,
    list_transform(list_sort(list_transform(list_filter(
        from_json(p.evidence, '[{"comparison": "VARCHAR", "label": "VARCHAR", "weight": "DOUBLE"}]'),
        lambda x: x.weight < 0 AND x.comparison NOT IN ('prior', 'name order')),
        lambda x: {'weight': x.weight, 'said': x.comparison || ': ' || x.label})), lambda x: x.said) AS contradicts,
    p.studies
FROM pairs p JOIN match_records a ON a.record_id = p.record_a JOIN match_records b ON b.record_id = p.record_b
WHERE p.outcome = 'overlay' AND p.band <> 'link'

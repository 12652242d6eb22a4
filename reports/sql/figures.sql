-- The large numbers at the top; NULL (a dash) where the stage that tells has not run
SELECT 'Files in the inventory' AS label, count(*)::DOUBLE AS value, 'whole' AS format,
    (SELECT count(*) FROM sources)::VARCHAR || ' sources' AS note FROM inventory
UNION ALL SELECT 'Size', coalesce(sum(size), 0)::DOUBLE, 'bytes', NULL FROM inventory
UNION ALL SELECT 'Studies', count(*)::DOUBLE, 'whole',
    format('{:,} objects', (SELECT count(*) FROM instances)) FROM studies
UNION ALL SELECT 'Persons', nullif(count(DISTINCT person_id), 0)::DOUBLE, 'whole',
    format('from {:,} patient records', (SELECT count(*) FROM patient_records))
    FROM persons ANTI JOIN (FROM match_records WHERE origin = 'feed') USING (record_id)
UNION ALL SELECT 'Verified at the target', CASE WHEN count(*) > 0 THEN count(*) FILTER (state = 'verified') END::DOUBLE,
    'whole', CASE WHEN count(*) > 0 THEN
        format('{:.1f} % of the inventory', 100.0 * count(*) FILTER (state = 'verified') / count(*)) END
    FROM reconciliation
UNION ALL SELECT 'Held back', CASE WHEN count(*) > 0 THEN count(*) FILTER (state = 'held') END::DOUBLE, 'whole',
    CASE WHEN count(*) > 0 THEN format('{:,} studies', count(DISTINCT study_uid) FILTER (state = 'held')) END
    FROM (
        SELECT state, study_uid FROM reconciliation
        UNION ALL SELECT state, study_uid FROM plan WHERE (SELECT count(*) FROM reconciliation) = 0
    )

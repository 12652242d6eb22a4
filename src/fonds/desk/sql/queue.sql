-- Pairs for people: those in doubt and those decided, by impact: studies that wait times how unsure the machine is.
-- Parameters: source ('' for all), state (open, decided, all), after_impact/after_a/after_b (NULL: from the start),
-- backwards, wanted (rows), skipped (rows).
WITH open AS (
    SELECT p.record_a, p.record_b, p.weight, p.probability, p.band, p.studies, p.note, a.source AS source_a,
        b.source AS source_b, a.PatientName AS name_a, b.PatientName AS name_b, a.PatientBirthDate AS born_a,
        b.PatientBirthDate AS born_b, s.verdict, s.who, s.at, s.decision_id, p.impact
    FROM weighed_pairs p JOIN records a ON a.record_id = p.record_a JOIN records b ON b.record_id = p.record_b
    LEFT JOIN standing s ON s.kind = 'pair' AND s.subject_a = p.record_a AND s.subject_b = p.record_b
    WHERE p.band = 'review' OR s.verdict IS NOT NULL
), chosen AS (
    SELECT *, (-impact, record_a, record_b) AS place FROM open
    WHERE ($source = '' OR source_a = $source OR source_b = $source)
        AND ($state = 'all' OR ($state = 'open') = (verdict IS NULL))
)
SELECT * EXCLUDE (place), count(*) OVER () AS total FROM chosen
WHERE $after_a IS NULL
    OR CASE WHEN $backwards THEN place < (-$after_impact::DOUBLE, $after_a, $after_b)
        ELSE place > (-$after_impact::DOUBLE, $after_a, $after_b) END
ORDER BY CASE WHEN $backwards THEN place END DESC, place LIMIT $wanted OFFSET $skipped

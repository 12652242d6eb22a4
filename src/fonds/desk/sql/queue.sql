-- Pairs for people: those in doubt, those of the sample and those decided; first what is worth most (prepared.sql), in
-- the sample shuffled. What the machine thinks of a pair is not told in the sample before someone has labelled it.
-- Parameters: source ('' for all), state (open, sample, decided, all), after (the place behind which to begin; NULL: from
-- the start), after_a, after_b, backwards, wanted (rows), skipped (rows).
WITH decided AS (
    FROM standing WHERE kind = 'pair'
), asked AS (
    SELECT * EXCLUDE (probability, taught) FROM queued
    UNION ALL BY NAME
    SELECT p.record_a, p.record_b, p.weight, p.band, p.studies, p.note, p.worth, p.sampled, a.source AS source_a,
        b.source AS source_b
    FROM weighed_pairs p JOIN decided d ON d.subject_a = p.record_a AND d.subject_b = p.record_b
        JOIN records a ON a.record_id = p.record_a JOIN records b ON b.record_id = p.record_b
    WHERE $state IN ('decided', 'all') AND NOT p.sampled AND p.band <> 'review'
), chosen AS (
    SELECT q.*, s.verdict, s.who, s.at, s.decision_id, $state = 'sample' AND sampled AND verdict IS NULL AS blind,
        (CASE WHEN $state = 'sample' THEN shuffled(record_a, record_b) ELSE -worth END, record_a, record_b) AS place
    FROM asked q LEFT JOIN decided s ON s.subject_a = q.record_a AND s.subject_b = q.record_b
    WHERE ($source = '' OR source_a = $source OR source_b = $source) AND CASE $state
        WHEN 'open' THEN band = 'review' AND verdict IS NULL
        WHEN 'sample' THEN sampled AND verdict IS NULL
        WHEN 'decided' THEN verdict IS NOT NULL
        ELSE true END
), shown AS (
    SELECT *, count(*) OVER () AS total FROM chosen
    WHERE $after IS NULL
        OR CASE WHEN $backwards THEN place < ($after::DOUBLE, $after_a, $after_b)
            ELSE place > ($after::DOUBLE, $after_a, $after_b) END
    ORDER BY CASE WHEN $backwards THEN place END DESC, place LIMIT $wanted OFFSET $skipped
)
SELECT q.* EXCLUDE (place), a.PatientName AS name_a, b.PatientName AS name_b, a.PatientBirthDate AS born_a,
    b.PatientBirthDate AS born_b, a.origin AS origin_a, b.origin AS origin_b
FROM shown q JOIN records a ON a.record_id = q.record_a JOIN records b ON b.record_id = q.record_b
ORDER BY CASE WHEN $backwards THEN place END DESC, place

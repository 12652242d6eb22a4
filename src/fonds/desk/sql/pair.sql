-- One pair with its evidence and the decision that stands; `blind`: asked in the sample and not labelled yet
SELECT p.*, shuffled(p.record_a, p.record_b) AS shuffled, $state = 'sample' AND p.sampled AND s.verdict IS NULL AS blind, s.verdict, s.who, s.at,
    s.comment, s.decision_id
FROM weighed_pairs p
LEFT JOIN standing s ON s.kind = 'pair' AND s.subject_a = p.record_a AND s.subject_b = p.record_b
WHERE p.record_a = $a AND p.record_b = $b

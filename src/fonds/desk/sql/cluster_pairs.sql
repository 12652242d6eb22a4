-- Pairs between these records; `weakest`: the link that a cluster's note names
SELECT p.record_a, p.record_b, p.weight, p.band, p.note, s.verdict,
    coalesce(starts_with(note, 'cluster ') AND contains(note, p.record_a) AND contains(note, p.record_b), false) AS weakest
FROM weighed_pairs p
LEFT JOIN standing s ON s.kind = 'pair' AND s.subject_a = p.record_a AND s.subject_b = p.record_b
WHERE p.record_a IN (SELECT unnest($records)) AND p.record_b IN (SELECT unnest($records))
ORDER BY weakest DESC, p.band = 'review' DESC, p.weight DESC, p.record_a, p.record_b

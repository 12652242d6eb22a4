-- How far the labelled sample is
SELECT count(*) AS drawn, count(s.verdict) AS labelled
FROM queued q LEFT JOIN standing s ON s.kind = 'pair' AND s.subject_a = q.record_a AND s.subject_b = q.record_b
WHERE q.sampled

-- What waits, for the head of every page
SELECT (SELECT count(*) FROM queued p ANTI JOIN (FROM standing WHERE kind = 'pair') s
        ON s.subject_a = p.record_a AND s.subject_b = p.record_b WHERE p.band = 'review') AS pairs,
    (SELECT count(DISTINCT change_id) FROM changes c ANTI JOIN (FROM standing WHERE kind = 'change') s
        ON s.subject_a = c.change_id WHERE c.state = 'proposed' AND c.candidates IS NULL)
    + (SELECT count(DISTINCT (q.subject_a, q.question)) FROM questions q ANTI JOIN standing s
        ON s.kind = q.kind AND s.subject_a = q.subject_a AND question_of(s.kind, s.subject_b) = q.question
        WHERE q.state = 'proposed') AS changes,
    (SELECT count(*) FROM duplicate_groups g LEFT JOIN (
        SELECT subject_a AS group_id, max("at") AS decided_at FROM standing WHERE kind = 'duplicate' GROUP BY subject_a) s
        USING (group_id) WHERE waits(g.held, s.decided_at)) AS duplicates,
    (SELECT count(*) FROM refused) AS refused

-- The decisions on a group that stand, the latest first: only that one's verdict counts
SELECT decision_id, verdict, subject_b AS subject, who, "at", comment,
    coalesce("at"::TIMESTAMP < (SELECT max(started)::TIMESTAMP FROM deduplicated), false) AS obeyed
FROM standing WHERE kind = 'duplicate' AND subject_a = $group ORDER BY decision_id DESC LIMIT 20

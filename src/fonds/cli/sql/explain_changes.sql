SELECT source, attribute, before, after, CASE WHEN state = 'approved' THEN after ELSE before END AS effective,
    rule, pack || '@' || pack_version AS pack, reason, needs, state, change_id, count(*) AS objects
FROM changes WHERE study_uid = $1 GROUP BY ALL ORDER BY ALL

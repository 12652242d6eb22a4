SELECT p.source, p.state, concat_ws(' #', p.wave, p.sequence) AS wave, p.reason, concat_ws(': ', r.state, r.reason) AS proven,
    count(*) AS objects, p.detail
FROM plan p LEFT JOIN reconciliation r USING (source, location) WHERE p.study_uid = $1 GROUP BY ALL ORDER BY ALL

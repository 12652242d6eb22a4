-- Each identifier that goes belongs to the one of its issuer that stays, else to the first.
INSERT INTO merging BY NAME
WITH going AS (SELECT seq, happened, changed, kind, code, ids, place, unnest(retired) AS gone FROM read_rows
    WHERE kind IN ('merge', 'unmerge') AND (len(ids) > 0 OR kind = 'unmerge'))
SELECT seq, happened, told_moment(changed, happened) AS changed,
    CASE WHEN length(code) = 3 THEN code ELSE lower(code) END AS event, kind,
    issuer_or_own(coalesce(nullif(gone.issuer, ''), stays.issuer)) AS retired_issuer,
    gone.id AS retired_id, issuer_or_own(stays.issuer) AS issuer, stays.id AS patient_id
FROM (SELECT *, coalesce(list_filter(ids, lambda x: x.issuer = gone.issuer)[1], ids[place]) AS stays FROM going);

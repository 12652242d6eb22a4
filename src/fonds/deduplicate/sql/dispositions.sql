-- Default dispositions, then what stewards decided. `decided` (decision_id, subject_a, subject_b, verdict) are the
-- standing decisions of kind duplicate.
CREATE TEMP TABLE disposed AS
WITH all_rows AS (
    FROM instance_rows UNION ALL BY NAME FROM picture_rows
    UNION ALL BY NAME SELECT group_id, class, 'study' AS level, source, study_uid AS member, NULL::VARCHAR AS sop_uid, study_uid,
        evidence, NULL::VARCHAR AS kept_source, NULL::VARCHAR AS kept_location FROM study_rows
), latest AS (
    SELECT subject_a AS group_id, arg_max(verdict, decision_id) AS verdict, arg_max(subject_b, decision_id) AS subject,
        list(subject_b) FILTER (verdict = 'drop-copy') AS dropped
    FROM decided GROUP BY subject_a
), asked AS (
    SELECT r.*, concat_ws('|', r.source, r.member) AS subject, d.verdict, d.subject AS chosen, d.dropped,
        r.source = r.kept_source AND r.member = r.kept_location AS is_kept
    FROM all_rows r LEFT JOIN latest d ON d.group_id = r.group_id AND r.class IN ('a', 'b', 'c', 'd', 'f', 'g')
), judged AS (
    -- whether the decision takes a file out; `keep` of a file that isn't in the group decides nothing
    SELECT *, CASE WHEN level = 'study' THEN NULL
        WHEN verdict = 'keep' AND bool_or(subject = chosen) OVER (PARTITION BY group_id) THEN subject <> chosen
        WHEN verdict = 'drop-copy' THEN list_contains(dropped, subject) OR (list_contains(dropped, '') AND NOT is_kept)
        END AS taken_out
    FROM asked
), left_over AS (
    SELECT *, count(DISTINCT CASE WHEN NOT taken_out THEN subject END) OVER (PARTITION BY group_id) AS remaining FROM judged
)
SELECT *, CASE
    WHEN verdict = 'separate' THEN CASE class WHEN 'g' THEN 'inform' ELSE 'keep' END
    -- never all of a group: what is taken out needs one that stays
    WHEN taken_out AND remaining > 0 THEN 'drop-copy'
    WHEN NOT taken_out AND remaining = 1 THEN 'keep'
    WHEN class IN ('a', 'b') THEN CASE WHEN is_kept THEN 'keep' ELSE 'drop-copy' END
    WHEN class IN ('c', 'd', 'f', 'g') THEN 'hold'
    WHEN class = 'i' THEN 'unite' ELSE 'inform' END AS disposition
FROM left_over;
CREATE TEMP TABLE answer AS
WITH stays AS (
    SELECT group_id, any_value(source) AS kept_source, any_value(member) AS kept_location FROM disposed
    WHERE remaining = 1 AND NOT taken_out GROUP BY group_id
)
SELECT d.group_id, d.class, d.level, d.source, d.member, d.sop_uid, d.study_uid, d.disposition,
    concat(d.evidence, '; decided: ' || d.verdict) AS evidence,
    coalesce(s.kept_source, d.kept_source) AS kept_source, coalesce(s.kept_location, d.kept_location) AS kept_location
FROM disposed d LEFT JOIN stays s USING (group_id)

-- What becomes of each row: the policy, then what stewards decided. `decided` (decision_id, subject_a, subject_b, verdict)
-- are the standing decisions of kind duplicate; `policy` is told by class and archive, the most careful one holds.
CREATE TEMP TABLE verdicts AS
SELECT subject_a AS group_id, arg_max(verdict, decision_id) AS verdict, arg_max(subject_b, decision_id) AS chosen,
    list(subject_b) FILTER (verdict = 'drop-copy') AS dropped
FROM decided GROUP BY subject_a;
CREATE TEMP TABLE wanted AS
WITH named AS (
    SELECT r.group_id, r.class, r.source, NULL::VARCHAR AS band, 1 AS persons FROM instance_rows r
    UNION ALL SELECT group_id, class, source, NULL, persons FROM picture_rows
    UNION ALL SELECT group_id, class, source, band, 1 FROM study_rows
)
SELECT n.group_id, n.class, arg_min(c.disposition, c.rank::INT) AS wanted
FROM (SELECT DISTINCT * FROM named) n
    JOIN (SELECT *, coalesce(source, '') AS archive FROM policy) p
        ON p.class = n.class AND p.archive = CASE WHEN n.source IN (SELECT source FROM policy) THEN n.source ELSE '' END
    JOIN careful c ON c.disposition = CASE WHEN n.class = 'h' AND n.band = 'possible' THEN p.possible
        WHEN n.class IN ('e', 'j') AND n.persons > 1 THEN p.other_persons ELSE p.disposition END
GROUP BY n.group_id, n.class;
-- Files under one SOP Instance UID
CREATE TEMP TABLE judged_files AS
WITH asked AS (
    SELECT r.*, concat_ws('|', r.source, r.member) AS subject, v.verdict, v.chosen, v.dropped, w.wanted, f.wanted AS scattered,
        r.source = r.kept_source AND r.member = r.kept_location AS is_kept
    FROM instance_rows r LEFT JOIN verdicts v USING (group_id) JOIN wanted w ON w.group_id = r.group_id AND w.class = r.class
        LEFT JOIN (FROM wanted WHERE class = 'f') f ON f.group_id = r.group_id
), judged AS (
    -- whether the decision takes a file out; `keep` of a file that isn't in the group decides nothing
    SELECT *, CASE WHEN verdict = 'keep' AND bool_or(subject = chosen) OVER (PARTITION BY group_id) THEN subject <> chosen
        WHEN verdict = 'drop-copy' THEN list_contains(dropped, subject) OR (list_contains(dropped, '') AND NOT is_kept)
        END AS taken_out,
        first_value(slot) OVER (PARTITION BY group_id ORDER BY number) AS kept_slot,
        first_value(place) OVER (PARTITION BY group_id ORDER BY number) <> place AS elsewhere,
        min(number) OVER (PARTITION BY group_id, slot) = number AS leads,
        min(CASE WHEN class IN ('a', 'b', 'c', 'd') THEN class END) OVER (PARTITION BY group_id, source, member) AS likeness
    FROM asked
), left_over AS (
    SELECT *, count(DISTINCT CASE WHEN NOT taken_out THEN subject END) OVER (PARTITION BY group_id) AS remaining,
        first_value(source) OVER slots AS lead_source, first_value(member) OVER slots AS lead_member, first_value(digest_object) OVER slots AS lead_digest,
        -- what lies in another series is f's to dispose; other pixels there take both policies' word
        CASE WHEN verdict = 'remap' THEN 'remap' WHEN NOT elsewhere OR scattered IS NULL OR class IN ('a', 'b', 'f') THEN wanted
             WHEN class = 'c' THEN scattered WHEN 'hold' IN (wanted, scattered) THEN 'hold' ELSE scattered END AS asked_for
    FROM judged WINDOW slots AS (PARTITION BY group_id, slot ORDER BY number)
), disposed AS (
    SELECT *, CASE
        WHEN verdict = 'separate' THEN 'keep'
        -- never all of a group: what is taken out needs one that stays
        WHEN taken_out AND remaining > 0 THEN 'drop-copy'
        WHEN NOT taken_out AND remaining = 1 THEN 'keep'
        WHEN is_kept THEN NULL
        WHEN asked_for = 'remap' THEN CASE
            WHEN slot = kept_slot THEN CASE WHEN likeness IN ('a', 'b') THEN 'drop-copy' ELSE 'hold' END
            WHEN leads THEN 'remap' WHEN digest_object = lead_digest THEN 'drop-copy' ELSE 'hold' END
        ELSE asked_for END AS told
    FROM left_over
)
SELECT *, coalesce(told, CASE WHEN bool_or(told = 'hold') OVER (PARTITION BY group_id, class) THEN 'hold' ELSE 'keep' END) AS disposition,
    told IS NOT NULL AND verdict IS NOT NULL AND (verdict IN ('separate', 'remap') OR taken_out IS NOT NULL) AS by_decision
FROM disposed;
CREATE TEMP TABLE file_rows AS
WITH stays AS (
    SELECT group_id, any_value(source) AS source, any_value(member) AS location FROM judged_files
    WHERE remaining = 1 AND NOT taken_out GROUP BY group_id
)
SELECT j.* REPLACE (
    CASE WHEN s.source IS NOT NULL THEN s.source WHEN slot <> kept_slot AND disposition IN ('remap', 'drop-copy') AND asked_for = 'remap' THEN lead_source ELSE kept_source END AS kept_source,
    CASE WHEN s.source IS NOT NULL THEN s.location WHEN slot <> kept_slot AND disposition IN ('remap', 'drop-copy') AND asked_for = 'remap' THEN lead_member ELSE kept_location END AS kept_location)
FROM judged_files j LEFT JOIN stays s USING (group_id);
-- Studies: of one examination the kept one gives its UID
CREATE TEMP TABLE kept_studies AS
WITH members AS (SELECT DISTINCT group_id, study_uid FROM study_rows WHERE class = 'h'),
sizes AS (
    SELECT i.StudyInstanceUID AS study_uid, count(DISTINCT i.SOPInstanceUID) AS size, coalesce(min(nullif(i.StudyDate, '')), '') AS day,
        min(coalesce(o.position, 1000000)) AS position, arg_min(i.source, coalesce(o.position, 1000000)) AS source
    FROM instances i SEMI JOIN members m ON m.study_uid = i.StudyInstanceUID LEFT JOIN sources o ON o.source = i.source
    GROUP BY i.StudyInstanceUID
), told AS (
    SELECT m.group_id, s.study_uid, s.size, s.source, s.position, coalesce(try_cast(s.day AS DOUBLE), 0) AS day, v.chosen
    FROM members m JOIN sizes s USING (study_uid) LEFT JOIN verdicts v USING (group_id)
), ranked AS (
    SELECT t.*, p.keep FROM told t JOIN (SELECT group_id, arg_min(source, position) AS first FROM told GROUP BY group_id) f USING (group_id)
        JOIN (SELECT coalesce(source, '') AS archive, keep FROM policy WHERE class = 'h') p
            ON p.archive = CASE WHEN f.first IN (SELECT source FROM policy) THEN f.first ELSE '' END
)
SELECT group_id, source, study_uid FROM ranked
QUALIFY row_number() OVER (PARTITION BY group_id ORDER BY NOT ends_with(coalesce(chosen, ''), '|' || study_uid), {study_ranking}, position, study_uid) = 1;
CREATE TEMP TABLE studies_disposed AS
SELECT s.*, v.verdict IN ('separate', 'unite', 'remap') OR (v.verdict = 'keep' AND s.class = 'h') AS by_decision, v.verdict,
    CASE WHEN v.verdict = 'separate' THEN 'inform'
         WHEN s.class = 'g' AND v.verdict = 'remap' THEN 'remap'
         WHEN s.class = 'h' AND v.verdict IN ('unite', 'keep') OR s.class = 'i' AND v.verdict = 'unite' THEN 'unite'
         ELSE w.wanted END AS disposition,
    CASE s.class WHEN 'h' THEN k.source END AS kept_source,
    CASE s.class WHEN 'h' THEN k.study_uid WHEN 'i' THEN s.study_uid END AS kept_location
FROM study_rows s JOIN wanted w ON w.group_id = s.group_id AND w.class = s.class LEFT JOIN verdicts v ON v.group_id = s.group_id
    LEFT JOIN kept_studies k ON k.group_id = s.group_id;
-- Files with the pixels of another UID's. What goes already as the copy of a file of its own UID isn't the one to keep; of
-- studies that are united, what the kept study has already stays behind.
CREATE TEMP TABLE judged_pictures AS
WITH gone AS (SELECT DISTINCT source, member FROM file_rows WHERE disposition = 'drop-copy'),
united AS (
    SELECT DISTINCT study_uid, kept_location AS kept_study, by_decision FROM studies_disposed
    WHERE class = 'h' AND disposition = 'unite' AND study_uid <> kept_location
), counterparts AS (
    SELECT t.source, t.location, any_value(u.by_decision) AS by_decision,
        arg_min(k.source, (g.source IS NOT NULL, coalesce(o.position, 1000000), k.source, k.location)) AS near_source,
        arg_min(k.location, (g.source IS NOT NULL, coalesce(o.position, 1000000), k.source, k.location)) AS near_location
    FROM telling t JOIN united u USING (study_uid) JOIN telling k ON k.pixel_key = t.pixel_key AND k.study_uid = u.kept_study
        LEFT JOIN gone g ON g.source = k.source AND g.member = k.location LEFT JOIN sources o ON o.source = k.source
    WHERE k.sop_uid <> t.sop_uid GROUP BY t.source, t.location
), asked AS (
    SELECT r.* EXCLUDE (kept_source, kept_location), concat_ws('|', r.source, r.member) AS subject, w.wanted, v.verdict, v.chosen, v.dropped,
        c.near_source, c.near_location, c.by_decision AS united_by_decision, n.near_location IS NOT NULL AS stands_for,
        g.source IS NOT NULL AS is_gone,
        max(CASE WHEN concat_ws('|', r.source, r.member) = v.chosen THEN r.study_uid END) OVER (PARTITION BY r.group_id) AS chosen_study
    FROM picture_rows r JOIN wanted w ON w.group_id = r.group_id AND w.class = r.class LEFT JOIN verdicts v ON v.group_id = r.group_id
        LEFT JOIN gone g ON g.source = r.source AND g.member = r.member
        LEFT JOIN counterparts c ON c.source = r.source AND c.location = r.member
        LEFT JOIN (SELECT DISTINCT near_source, near_location FROM counterparts) n ON n.near_source = r.source AND n.near_location = r.member
), preferred AS (
    SELECT *, row_number() OVER (PARTITION BY group_id, slot ORDER BY
        coalesce(verdict = 'drop-copy' AND list_contains(dropped, subject), false),
        coalesce(verdict = 'keep' AND subject <> chosen, false), coalesce(verdict = 'keep' AND study_uid <> chosen_study, false),
        is_gone, NOT stands_for, number) AS place
    FROM asked
), led AS (
    SELECT *, first_value(source) OVER slots AS kept_source, first_value(member) OVER slots AS kept_location,
        bool_or(CASE verdict WHEN 'keep' THEN study_uid = chosen_study WHEN 'drop-copy' THEN NOT list_contains(dropped, subject) END) OVER (PARTITION BY group_id, slot) AS some_stay
    FROM preferred WINDOW slots AS (PARTITION BY group_id, slot ORDER BY place ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)
), told AS (
    SELECT *, CASE
        WHEN verdict = 'separate' THEN 'inform'
        WHEN verdict = 'keep' AND some_stay THEN CASE WHEN place = 1 THEN 'keep' ELSE 'drop-copy' END
        WHEN verdict = 'drop-copy' AND some_stay AND (list_contains(dropped, subject) OR list_contains(dropped, '')) THEN CASE WHEN place = 1 THEN 'keep' ELSE 'drop-copy' END
        END AS by_verdict
    FROM led
), disposed AS (
    SELECT *, CASE WHEN by_verdict IS NOT NULL THEN by_verdict WHEN near_source IS NOT NULL THEN 'drop-copy' WHEN stands_for THEN 'keep'
        WHEN wanted = 'drop-copy' THEN CASE WHEN place = 1 THEN 'keep' ELSE 'drop-copy' END ELSE wanted END AS told
    FROM told
)
SELECT * EXCLUDE (kept_source, kept_location),
    -- pixels that can't be compared are never dropped for another's
    CASE WHEN told = 'drop-copy' AND content IS NULL THEN 'hold' ELSE told END AS disposition,
    CASE WHEN by_verdict IS NULL AND near_source IS NOT NULL THEN near_source ELSE kept_source END AS kept_source,
    CASE WHEN by_verdict IS NULL AND near_source IS NOT NULL THEN near_location ELSE kept_location END AS kept_location,
    by_verdict IS NOT NULL OR (near_source IS NOT NULL AND united_by_decision) AS by_decision
FROM disposed;
CREATE TEMP TABLE answer AS
WITH rows AS (
    SELECT group_id, class, level, source, member, sop_uid, study_uid, content, differs, NULL::DOUBLE AS score, NULL::VARCHAR AS band,
        evidence, disposition, why, verdict, by_decision, kept_source, kept_location FROM file_rows
    UNION ALL
    SELECT p.group_id, p.class, p.level, p.source, p.member, p.sop_uid, p.study_uid, p.content, p.differs, NULL, NULL, p.evidence, p.disposition,
        CASE WHEN p.near_source IS NOT NULL AND p.by_verdict IS NULL THEN 'unite' ELSE p.why END, CASE WHEN p.by_verdict IS NULL AND p.near_source IS NOT NULL THEN 'unite' ELSE p.verdict END, p.by_decision,
        -- what is kept for a copy may stay behind for another one
        coalesce(k.kept_source, p.kept_source), coalesce(k.kept_location, p.kept_location)
    FROM judged_pictures p LEFT JOIN (FROM judged_pictures WHERE disposition = 'drop-copy') k
        ON k.group_id = p.group_id AND k.source = p.kept_source AND k.member = p.kept_location AND p.disposition = 'drop-copy'
    UNION ALL
    SELECT group_id, class, 'study', source, study_uid, NULL, study_uid, NULL, []::VARCHAR[], score, band, evidence, disposition, 'policy', verdict,
        coalesce(by_decision, false), kept_source, kept_location FROM studies_disposed
)
SELECT * EXCLUDE (verdict, by_decision, why, evidence), concat(evidence, CASE WHEN by_decision THEN '; decided: ' || verdict END) AS evidence,
    CASE WHEN by_decision THEN 'decided: ' || verdict ELSE why END AS why
FROM rows

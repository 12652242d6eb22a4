-- What files and index say differently. Given: `pairs` (index_source, source, index_order, file_order), `verdicts`
-- (index_source, source, level, attribute, compare, fold, winner, needs, reason, heeds_empty, rule), `told_values` and
-- `found_values` (what each side says, one row a distinct value), `told` and `found` (the entities each side knows).
-- UIDs of the levels below an entity are ''.
CREATE TEMP MACRO plain_name(x) AS rtrim(array_to_string(list_transform(string_split(x, '='), lambda g:
    rtrim(array_to_string(list_transform(string_split(g, '^'), lambda c: trim(c)), '^'), '^')), '='), '=');
CREATE TEMP MACRO first_two(x) AS array_to_string(string_split(string_split(x, '=')[1], '^')[1:2], '^');
CREATE TEMP MACRO behind_two(x) AS array_to_string(string_split(string_split(x, '=')[1], '^')[3:], '^');
CREATE TEMP MACRO plain_date(x, date_order) AS CASE
    WHEN regexp_full_match(x, '\d{4}[./-]\d\d[./-]\d\d') THEN regexp_replace(x, '[^0-9]', '', 'g')
    WHEN date_order = 'us' AND regexp_full_match(x, '\d\d[./-]\d\d[./-]\d{4}') THEN x[7:] || x[1:2] || x[4:5]
    WHEN date_order = 'european' AND regexp_full_match(x, '\d\d[./-]\d\d[./-]\d{4}') THEN x[7:] || x[4:5] || x[1:2]
    ELSE x END;
-- to the second: databases seldom keep the fraction (PS3.5 6.2, TM)
CREATE TEMP MACRO plain_time(x) AS CASE WHEN x = '' THEN ''
    ELSE rpad(regexp_replace(string_split(x, '.')[1], '[^0-9]', '', 'g'), 6, '0') END;
CREATE TEMP MACRO plain_set(x) AS array_to_string(list_sort(list_distinct(list_filter(list_transform(
    string_split(regexp_replace(x, '[,;|]', '\', 'g'), '\'), lambda one: upper(trim(one))), lambda one: one <> ''))), '\');
CREATE TEMP MACRO folded(fold, x) AS CASE fold WHEN 'keep' THEN nfc_normalize(x)
    WHEN 'ignore' THEN lower(nfc_normalize(x)) ELSE lower(strip_accents(x)) END;
CREATE TEMP MACRO plain(compare, fold, x, date_order) AS CASE
    WHEN x IS NULL OR trim(x) = '' THEN ''
    WHEN compare = 'name' THEN folded(fold, plain_name(x))
    WHEN compare = 'family-given' THEN folded(fold, plain_name(first_two(x)))
    WHEN compare = 'date' THEN plain_date(trim(x), date_order)
    WHEN compare = 'time' THEN plain_time(trim(x))
    WHEN compare IN ('number', 'count') THEN coalesce(try_cast(trim(x) AS DOUBLE)::VARCHAR, trim(x))
    WHEN compare = 'set' THEN plain_set(x)
    ELSE folded(fold, trim(x)) END;
CREATE TEMP TABLE index_answers AS
SELECT index_source, level, study_uid, series_uid, sop_uid, attribute, trim(t.value) AS value,
    plain(v.compare, v.fold, t.value, p.index_order) AS same
FROM told_values t
    JOIN verdicts v USING (index_source, level, attribute) JOIN pairs p USING (index_source)
GROUP BY ALL;
-- min and max instead of distinct values: these two spill to disk
CREATE TEMP TABLE index_says AS
SELECT index_source, level, study_uid, series_uid, sop_uid, attribute, min(same) <> max(same) AS disagrees,
    min(same) AS same, min(value) AS value
FROM index_answers GROUP BY ALL;
UPDATE index_says s SET value = a.value FROM (
    SELECT index_source, level, study_uid, series_uid, sop_uid, attribute, string_agg(DISTINCT value, ' | ' ORDER BY value) AS value
    FROM index_answers SEMI JOIN (FROM index_says WHERE disagrees) USING (index_source, level, study_uid, series_uid, sop_uid, attribute)
    GROUP BY ALL
) a WHERE s.disagrees AND s.index_source = a.index_source AND s.level = a.level AND s.study_uid = a.study_uid
    AND s.series_uid = a.series_uid AND s.sop_uid = a.sop_uid AND s.attribute = a.attribute;
DROP TABLE index_answers;
CREATE TEMP TABLE differing AS
SELECT v.source, v.index_source, v.level, f.study_uid, f.series_uid, f.sop_uid, v.attribute,
    CASE WHEN i.disagrees THEN 'index-disagrees' WHEN v.compare = 'count' THEN 'count-differs' ELSE 'differs' END AS kind,
    f.value AS file_value, i.value AS index_value, f.instances, CASE WHEN i.disagrees THEN 'none' ELSE v.winner END AS winner,
    v.compare, v.needs, v.reason, v.rule
FROM found_values f JOIN verdicts v USING (source, level, attribute) JOIN pairs p USING (index_source)
    JOIN index_says i USING (index_source, level, study_uid, series_uid, sop_uid, attribute)
WHERE (i.value <> '' OR v.heeds_empty)
    AND (i.disagrees OR i.same IS DISTINCT FROM CASE WHEN v.compare = 'name' AND NOT contains(i.same, '=')
        -- a database that keeps one group of a name says nothing of the others
        THEN string_split(plain(v.compare, v.fold, f.value, p.file_order), '=')[1]
        ELSE plain(v.compare, v.fold, f.value, p.file_order) END);
-- Entities only one side knows. Below a study the index is asked only where it told that level at all: a study whose
-- series it never named isn't one whose series are lost.
CREATE TEMP TABLE held AS SELECT p.index_source, f.* FROM found f JOIN pairs p USING (source);
CREATE TEMP TABLE one_sided AS
SELECT index_source, level, study_uid, series_uid, sop_uid, 'only-in-files' AS kind, instances
FROM held h ANTI JOIN told USING (index_source, level, study_uid, series_uid, sop_uid)
WHERE CASE level WHEN 'STUDY' THEN index_source IN (SELECT index_source FROM told)
    WHEN 'SERIES' THEN (index_source, study_uid) IN (SELECT (index_source, study_uid) FROM told WHERE level = 'SERIES')
    ELSE (index_source, study_uid, series_uid) IN (SELECT (index_source, study_uid, series_uid) FROM told WHERE level = 'INSTANCE') END
UNION ALL
SELECT index_source, level, study_uid, series_uid, sop_uid, 'only-in-index', 0
FROM told t ANTI JOIN held USING (index_source, level, study_uid, series_uid, sop_uid)
WHERE NOT t.shell AND CASE level WHEN 'STUDY' THEN true
    WHEN 'SERIES' THEN (index_source, study_uid) IN (SELECT (index_source, study_uid) FROM held)
    ELSE (index_source, study_uid, series_uid) IN (SELECT (index_source, study_uid, series_uid) FROM held WHERE level = 'SERIES') END;
CREATE TEMP TABLE drift_rows AS
SELECT source, index_source, level, study_uid, nullif(series_uid, '') AS series_uid, nullif(sop_uid, '') AS sop_uid, attribute,
    kind, file_value, index_value, instances::BIGINT AS instances, winner,
    CASE WHEN winner = 'files' THEN file_value
        -- the groups of a name that the index doesn't keep stay as the files have them
        WHEN winner = 'index' AND compare = 'name' AND NOT contains(index_value, '=')
            THEN rtrim(index_value, '^ ') || regexp_extract(coalesce(file_value, ''), '=.*$')
        WHEN winner = 'index' AND compare = 'family-given'
            THEN rtrim(concat(first_two(index_value), CASE WHEN contains(first_two(index_value), '^') THEN '' ELSE '^' END, '^', behind_two(coalesce(file_value, ''))), '^ ')
                || regexp_extract(coalesce(file_value, ''), '=.*$')
        WHEN winner = 'index' THEN index_value END AS winning_value,
    CASE WHEN winner = 'index' THEN needs ELSE 'none' END AS needs, reason, rule
FROM differing
UNION ALL
SELECT p.source, index_source, level, study_uid, nullif(series_uid, ''), nullif(sop_uid, ''), w.uid_word, kind,
    CASE WHEN kind = 'only-in-files' THEN w.uid END, CASE WHEN kind = 'only-in-index' THEN w.uid END, instances::BIGINT,
    'none', NULL, 'none', NULL, NULL
FROM (SELECT *, CASE level WHEN 'STUDY' THEN 'StudyInstanceUID' WHEN 'SERIES' THEN 'SeriesInstanceUID' ELSE 'SOPInstanceUID' END AS uid_word,
        CASE level WHEN 'STUDY' THEN study_uid WHEN 'SERIES' THEN series_uid ELSE sop_uid END AS uid FROM one_sided) w
    JOIN pairs p USING (index_source)

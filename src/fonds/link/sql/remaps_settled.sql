-- What is refused in the end, and with it every unit that shares an object; the rows of `remaps` and `rewrites`. `tried` (units,
-- detail) are objects that could not be changed as planned when that was tried.
INSERT INTO refusals SELECT unnest(units), 8, 'unwritable', detail FROM tried;
CREATE TEMP TABLE refused AS
WITH RECURSIVE bound AS (
    SELECT DISTINCT unnest(units) AS unit, units FROM (SELECT DISTINCT units FROM identities WHERE len(units) > 1)
), pairs_bound AS (
    SELECT DISTINCT unit, unnest(units) AS other FROM bound
), first AS (
    SELECT unit, min({'rank': rank, 'reason': reason, 'detail': detail}) AS why FROM refusals GROUP BY unit
), spread AS (
    SELECT unit, unit AS origin FROM first
    UNION
    SELECT p.other, s.origin FROM spread s JOIN pairs_bound p ON p.unit = s.unit
)
SELECT s.unit, min(f.why) AS why FROM spread s JOIN first f ON f.unit = s.origin GROUP BY s.unit;
CREATE TEMP TABLE verdicts AS
WITH asked AS (SELECT DISTINCT units FROM attributes_changed UNION SELECT DISTINCT units FROM rewritten),
one AS (SELECT units, unnest(units) AS unit FROM asked)
SELECT o.units, min(r.why) AS why, string_agg(DISTINCT c.cause, ', ' ORDER BY c.cause) AS cause
FROM one o LEFT JOIN refused r USING (unit) LEFT JOIN causes c USING (unit) GROUP BY o.units;
CREATE TEMP VIEW remap_rows AS
SELECT source, location, attribute, path, "before", after, a.cause, class, CASE WHEN v.why IS NULL THEN 'planned' ELSE 'refused' END AS state,
    v.why.reason AS reason, v.why.detail AS detail
FROM attributes_changed a LEFT JOIN verdicts v USING (units);
CREATE TEMP VIEW rewrite_rows AS
SELECT source, location, to_study_uid, to_series_uid, to_sop_uid, to_frame_of_reference_uid,
    CASE WHEN NOT dangles AND NOT ambiguous THEN new_study_uid END AS new_study_uid,
    CASE WHEN NOT dangles AND NOT ambiguous THEN new_series_uid END AS new_series_uid,
    CASE WHEN NOT dangles AND NOT ambiguous THEN new_sop_uid END AS new_sop_uid,
    to_frame_of_reference_uid AS new_frame_of_reference_uid, v.cause, CASE WHEN v.why IS NULL THEN 'planned' ELSE 'refused' END AS state,
    v.why.reason AS reason
FROM rewritten r LEFT JOIN verdicts v USING (units) WHERE NOT is_void OR NOT (dangles OR ambiguous)

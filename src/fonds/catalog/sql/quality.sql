-- How good the metadata is, as numbers: quality = 1 - sum(weight * failed) / sum(weight * applicable). What a check doesn't
-- apply to counts on neither side, nor what rules/thresholds.yaml skips. Weights are those of `severity_weights`.
CREATE OR REPLACE VIEW severity_weights AS
SELECT * FROM (VALUES ('block', 100, 1), ('critical', 20, 2), ('major', 5, 3), ('minor', 1, 4), ('info', 0, 5))
    t(severity, weight, rank);
-- Of each source, modality and year. `blocking` counts entities that fail a check of severity block.
CREATE OR REPLACE VIEW quality_by_cell AS
SELECT m.source, s.department, m.modality, m.study_year, count(*) FILTER (m.denominator > 0) AS checks,
    sum(m.numerator)::BIGINT AS failed, sum(m.denominator)::BIGINT AS applicable,
    sum(m.numerator) FILTER (c.severity = 'block')::BIGINT AS blocking,
    sum(w.weight * m.numerator)::BIGINT AS weighted_failed, sum(w.weight * m.denominator)::BIGINT AS weighted_applicable,
    1 - weighted_failed / nullif(weighted_applicable, 0)::DOUBLE AS quality
FROM measures m JOIN checks c USING (check_id) JOIN severity_weights w USING (severity) LEFT JOIN sources s USING (source)
    ANTI JOIN (FROM scorecard WHERE status = 'skipped') k ON k.check_id = m.check_id AND k.source = m.source
GROUP BY m.source, s.department, m.modality, m.study_year;
-- Of each scope (all, department, source): now, and with approved changes applied as the suites of stage normalize counted
-- it. A check that no such suite takes counts as found; without any, quality_after is NULL.
CREATE OR REPLACE VIEW quality_index AS
WITH after AS (
    SELECT source, check_id, any_value(unexpected) AS failed, any_value(evaluated) AS applicable
    FROM gates WHERE stage = 'normalize' GROUP BY source, check_id
), told AS (
    SELECT c.source, c.department, c.level, c.status, c.severity, w.weight, c.numerator, c.denominator,
        coalesce(a.failed, c.numerator) AS numerator_after, coalesce(a.applicable, c.denominator) AS denominator_after
    FROM scorecard c JOIN severity_weights w USING (severity) LEFT JOIN after a USING (source, check_id)
    WHERE c.denominator > 0 AND c.status <> 'skipped'
)
SELECT CASE WHEN grouping(department) = 1 THEN 'all' WHEN grouping(source) = 1 THEN 'department' ELSE 'source' END AS scope,
    department, source, count(*) AS checks, count(*) FILTER (status = 'failed') AS checks_failed,
    sum(numerator)::BIGINT AS failed, sum(denominator)::BIGINT AS applicable,
    coalesce(sum(numerator) FILTER (severity = 'block'), 0)::BIGINT AS blocking,
    sum(numerator) FILTER (severity = 'critical') / nullif(sum(denominator) FILTER (severity = 'critical'), 0)::DOUBLE
        AS critical_share,
    1 - sum(weight * numerator) / nullif(sum(weight * denominator), 0)::DOUBLE AS quality,
    CASE WHEN (SELECT count(*) FROM after) > 0
        THEN 1 - sum(weight * numerator_after) / nullif(sum(weight * denominator_after), 0)::DOUBLE END AS quality_after
FROM told GROUP BY GROUPING SETS ((), (department), (department, source));
-- The attributes without which a study isn't found or read in context: on how many of the objects they are filled, as
-- found and with approved changes applied. A body part is asked of objects with pixel data only.
CREATE OR REPLACE VIEW key_completeness AS
WITH objects AS (
    SELECT *, false AS changed FROM instances UNION ALL BY NAME SELECT *, true AS changed FROM effective
), counted AS (
    SELECT source, changed,
        [{'attribute': 'PatientID', 'applicable': count(*), 'present': count(*) FILTER (trim(PatientID) <> '')},
         {'attribute': 'IssuerOfPatientID', 'applicable': count(*), 'present': count(*) FILTER (trim(IssuerOfPatientID) <> '')},
         {'attribute': 'PatientName', 'applicable': count(*), 'present': count(*) FILTER (trim(PatientName, ' ^=') <> '')},
         {'attribute': 'PatientBirthDate', 'applicable': count(*), 'present': count(*) FILTER (trim(PatientBirthDate) <> '')},
         {'attribute': 'AccessionNumber', 'applicable': count(*), 'present': count(*) FILTER (trim(AccessionNumber) <> '')},
         {'attribute': 'StudyDate', 'applicable': count(*), 'present': count(*) FILTER (trim(StudyDate) <> '')},
         {'attribute': 'StudyDescription', 'applicable': count(*), 'present': count(*) FILTER (trim(StudyDescription) <> '')},
         {'attribute': 'Modality', 'applicable': count(*), 'present': count(*) FILTER (trim(Modality) <> '')},
         {'attribute': 'BodyPartExamined', 'applicable': count(*) FILTER (pixel_length > 0),
            'present': count(*) FILTER (pixel_length > 0 AND trim(BodyPartExamined) <> '')}] AS told
    FROM objects GROUP BY source, changed
), listed AS (SELECT source, changed, unnest(told, recursive := true) FROM counted)
SELECT source, s.department, attribute, a.applicable, a.present, b.present AS present_after,
    a.present / nullif(a.applicable, 0)::DOUBLE AS share, b.present / nullif(b.applicable, 0)::DOUBLE AS share_after
FROM (FROM listed WHERE NOT changed) a JOIN (FROM listed WHERE changed) b USING (source, attribute)
    LEFT JOIN sources s USING (source);
-- One row a run of assess and source. Where a check is new or has another version than before, the quality can't be compared
-- as it stands: checks_changed counts them, changed names them, and change is the difference over all the others.
CREATE OR REPLACE VIEW quality_trend AS
WITH weighed AS (
    SELECT a.run, a."at", a.source, a.check_id, a.check_version, a.numerator, a.denominator, w.weight
    FROM assessments a JOIN checks c USING (check_id) JOIN severity_weights w USING (severity)
        ANTI JOIN (FROM scorecard WHERE status = 'skipped') k ON k.check_id = a.check_id AND k.source = a.source
), beside AS (
    SELECT *, lag(check_version) OVER earlier AS version_before, lag(numerator) OVER earlier AS numerator_before,
        lag(denominator) OVER earlier AS denominator_before, min(run) OVER (PARTITION BY source) AS first_run
    FROM weighed WINDOW earlier AS (PARTITION BY source, check_id ORDER BY run)
), marked AS (
    SELECT *, version_before IS NOT DISTINCT FROM check_version AS same,
        run > first_run AND version_before IS DISTINCT FROM check_version AS other
    FROM beside
)
SELECT run, min("at") AS assessed, source, any_value(s.department) AS department, count(*) FILTER (denominator > 0) AS checks,
    sum(numerator)::BIGINT AS failed, sum(denominator)::BIGINT AS applicable,
    sum(weight * numerator)::BIGINT AS weighted_failed, sum(weight * denominator)::BIGINT AS weighted_applicable,
    1 - weighted_failed / nullif(weighted_applicable, 0)::DOUBLE AS quality,
    count(*) FILTER (other) AS checks_changed,
    coalesce(list_sort(list(check_id) FILTER (other)), []) AS changed,
    sum(weight * numerator_before) FILTER (same) / nullif(sum(weight * denominator_before) FILTER (same), 0)::DOUBLE
        - sum(weight * numerator) FILTER (same) / nullif(sum(weight * denominator) FILTER (same), 0)::DOUBLE AS change
FROM marked LEFT JOIN sources s USING (source) GROUP BY run, source;
-- Every object a finding is about: itself, or all objects of the series, study or patient record.
CREATE OR REPLACE VIEW finding_objects AS
SELECT f.check_id, f.source, f.entity, f.attribute, f.severity, f.entity AS location
FROM findings f WHERE f.level = 'instance'
UNION ALL
SELECT f.check_id, f.source, f.entity, f.attribute, f.severity, i.location
FROM findings f JOIN instances i ON i.source = f.source AND coalesce(i.SeriesInstanceUID, '') = f.entity
WHERE f.level = 'series'
UNION ALL
SELECT f.check_id, f.source, f.entity, f.attribute, f.severity, i.location
FROM findings f JOIN instances i ON i.source = f.source AND coalesce(i.StudyInstanceUID, '') = f.entity
WHERE f.level IN ('study', 'across')
UNION ALL
SELECT f.check_id, f.source, f.entity, f.attribute, f.severity, r.location
FROM findings f JOIN instance_records r ON r.source = f.source AND r.raw_record_id = f.entity
WHERE f.level = 'patient';
-- Where most of what fails comes from: which check, which device (maker, model, station), which modality and year of a
-- source. `share` is of the weighted failures of the kind; `records` are patient records concerned (NULL for cells). It
-- names no patient.
CREATE OR REPLACE VIEW worst_offenders AS
WITH weighed AS (
    SELECT o.check_id, o.source, o.entity, o.location, w.weight FROM finding_objects o JOIN severity_weights w USING (severity)
), devices AS (
    SELECT o.source, nullif(concat_ws(' ', nullif(trim(i.Manufacturer), ''), nullif(trim(i.ManufacturerModelName), ''),
        nullif(trim(i.StationName), '')), '') AS name, o.check_id, o.entity, any_value(o.weight) AS weight,
        list(DISTINCT r.record_id) AS records
    FROM weighed o JOIN instances i USING (source, location) JOIN instance_records r USING (source, location)
    GROUP BY ALL
), concerned AS (
    SELECT o.source, o.check_id, count(DISTINCT r.record_id) AS records
    FROM weighed o JOIN instance_records r USING (source, location) GROUP BY ALL
), told AS (
    SELECT 'device' AS kind, coalesce(name, 'not told') AS name, source, count(*) AS failed, sum(weight)::BIGINT AS weighted,
        length(list_distinct(flatten(list(records)))) AS records
    FROM devices GROUP BY ALL
    UNION ALL
    SELECT 'check', concat_ws(' ', s.check_id, c.name), s.source, s.numerator, w.weight * s.numerator,
        coalesce(o.records, 0)
    FROM scorecard s JOIN severity_weights w USING (severity) LEFT JOIN checks c USING (check_id)
        LEFT JOIN concerned o USING (source, check_id)
    WHERE s.numerator > 0 AND s.status <> 'skipped'
    UNION ALL
    SELECT 'cell', concat_ws(' ', coalesce(nullif(modality, ''), 'no modality'), coalesce(nullif(study_year, ''), 'no date')),
        source, failed, weighted_failed, NULL
    FROM quality_by_cell WHERE failed > 0
)
SELECT kind, name, source, s.department, failed, weighted, records,
    weighted / nullif(sum(weighted) OVER (PARTITION BY kind), 0)::DOUBLE AS share
FROM told LEFT JOIN sources s USING (source);
-- What each rule does: values, objects and studies it changes, and findings it clears: those of checks whose `fix` names the
-- rule, on objects where the rule changes the attribute they are about. A change that several rules made counts for each.
CREATE OR REPLACE VIEW rule_effect AS
WITH steps AS (
    SELECT source, location, study_uid, attribute, state, reason, needs, pack, pack_version,
        unnest(string_split(rule, ' > ')) AS rule
    FROM changes
), mends AS (
    SELECT check_id, unnest(regexp_extract_all(fix, '[a-z0-9-]+\.[A-Za-z0-9-]+')) AS rule FROM checks
), cleared AS (
    SELECT rule, state, count(*) AS clears, list_sort(list(DISTINCT check_id)) AS checks FROM (
        SELECT DISTINCT t.rule, t.state, o.check_id, o.source, o.entity
        FROM finding_objects o JOIN mends m USING (check_id)
            JOIN steps t ON t.rule = m.rule AND t.source = o.source AND t.location = o.location AND t.attribute = o.attribute
    ) GROUP BY rule, state
)
SELECT t.rule, t.state, min(t.pack) AS pack, min(t.pack_version) AS pack_version, list_sort(list(DISTINCT attribute)) AS attributes,
    list_sort(list(DISTINCT t.source)) AS sources, count(*) AS changes, count(DISTINCT (t.source, t.location)) AS objects,
    count(DISTINCT t.study_uid) AS studies, coalesce(any_value(c.clears), 0) AS clears, coalesce(any_value(c.checks), []) AS checks
FROM steps t LEFT JOIN cleared c USING (rule, state) GROUP BY t.rule, t.state

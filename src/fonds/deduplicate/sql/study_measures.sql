-- What is measured of each pair of `study_candidates`, one row a pair: the measures of study_model.py. What the first
-- study has is put beside its pairs first (MATERIALIZED): joined in another order, a common series would meet all others.
CREATE TEMP TABLE pair_objects AS
WITH wanted AS (SELECT study_a AS study_uid FROM study_candidates UNION SELECT study_b FROM study_candidates),
read AS (
    SELECT o.study_uid, o.sop_uid,
        -- what shows the same is the same picture however it is stored; what is blank is none
        any_value(CASE WHEN t.pixel_key IS NOT NULL THEN hash(t.pixel_key) ELSE hash(digest_pixels) END) FILTER (t.pixel_key IS NOT NULL OR (digest_pixels IS NOT NULL AND b.source IS NULL)) AS picture,
        bool_or(pixel_length IS NOT NULL) AS pictured,
        -- pictures are compared as stored only where they are stored alike
        any_value(hash(CASE WHEN transfer_syntax IN ('1.2.840.10008.1.2', '1.2.840.10008.1.2.1', '1.2.840.10008.1.2.1.99') THEN 'native' ELSE transfer_syntax END,
            "Rows", "Columns", BitsAllocated, coalesce(LossyImageCompression, '00'))) FILTER (digest_pixels IS NOT NULL) AS form,
        any_value(hash(Modality, SeriesNumber, InstanceNumber)) FILTER (InstanceNumber <> '') AS place,
        min(coalesce(moment(left(AcquisitionDateTime, 8), substr(AcquisitionDateTime, 9, 6)),
            moment(coalesce(nullif(AcquisitionDate, ''), StudyDate), AcquisitionTime))) AS acquired,
        min(moment(coalesce(nullif(ContentDate, ''), StudyDate), ContentTime)) AS created
    FROM (FROM told_objects SEMI JOIN wanted USING (study_uid)) o LEFT JOIN telling t ON t.source = o.source AND t.location = o.location
        LEFT JOIN (FROM twins ANTI JOIN telling USING (source, location)) b ON b.source = o.source AND b.location = o.location
    GROUP BY o.study_uid, o.sop_uid
)
FROM read;
CREATE TEMP TABLE pair_counts AS
SELECT study_uid, count(*) AS objects, count(*) FILTER (pictured) AS pictures, count(picture) AS digests,
    count(DISTINCT acquired) AS acquired, count(DISTINCT created) AS created
FROM pair_objects GROUP BY study_uid;
CREATE TEMP TABLE same_pictures AS
WITH pictures AS (SELECT study_uid, picture, count(*) AS objects FROM pair_objects WHERE picture IS NOT NULL GROUP BY study_uid, picture),
first AS MATERIALIZED (SELECT study_a, study_b, picture, objects FROM study_candidates JOIN pictures ON study_uid = study_a)
SELECT study_a, study_b, sum(least(a.objects, b.objects))::BIGINT AS same
FROM first a JOIN pictures b ON b.study_uid = a.study_b AND b.picture = a.picture GROUP BY study_a, study_b;
CREATE TEMP TABLE same_forms AS
WITH forms AS (SELECT DISTINCT study_uid, form FROM pair_objects WHERE form IS NOT NULL),
first AS MATERIALIZED (SELECT study_a, study_b, form FROM study_candidates JOIN forms ON study_uid = study_a)
SELECT DISTINCT study_a, study_b FROM first a JOIN forms b ON b.study_uid = a.study_b AND b.form = a.form;
-- Times in common: acquisition times where both studies have them, else content times. Two clocks whole hours apart agree in
-- minutes and seconds; how far they are apart is the shift that most times have.
CREATE TEMP TABLE pair_clocks AS
SELECT study_a, study_b, a.acquired > 0 AND b.acquired > 0 AS by_acquisition,
    CASE WHEN by_acquisition THEN least(a.acquired, b.acquired) ELSE least(a.created, b.created) END AS times
FROM study_candidates c JOIN pair_counts a ON a.study_uid = c.study_a JOIN pair_counts b ON b.study_uid = c.study_b
WHERE by_acquisition OR (a.created > 0 AND b.created > 0);
CREATE TEMP TABLE clock_shifts AS
WITH instants AS (
    SELECT DISTINCT study_uid, true AS by_acquisition, acquired AS instant, acquired % 3600 AS of_hour FROM pair_objects WHERE acquired IS NOT NULL
    UNION ALL
    SELECT DISTINCT study_uid, false, created, created % 3600 FROM pair_objects WHERE created IS NOT NULL
), first AS MATERIALIZED (
    SELECT study_a, study_b, times, by_acquisition, instant, of_hour
    FROM pair_clocks c JOIN instants a USING (by_acquisition) WHERE a.study_uid = c.study_a
), met AS (
    SELECT study_a, study_b, times, a.instant - b.instant AS shift, count(*) AS same
    FROM first a JOIN instants b ON b.study_uid = a.study_b AND b.by_acquisition = a.by_acquisition AND b.of_hour = a.of_hour
    GROUP BY study_a, study_b, times, shift
)
SELECT study_a, study_b, any_value(times) AS times, coalesce(max(same) FILTER (shift = 0), 0) / any_value(times) AS exact,
    coalesce(max(same) FILTER (abs(shift) <= 14 * 3600), 0) / any_value(times) AS by_hours
FROM met GROUP BY study_a, study_b;
-- A clock set otherwise: objects of one place in their series are all apart by the same seconds.
CREATE TEMP TABLE steady_shifts AS
WITH first AS MATERIALIZED (
    SELECT study_a, study_b, by_acquisition, place, CASE WHEN by_acquisition THEN acquired ELSE created END AS instant
    FROM pair_clocks JOIN pair_objects ON study_uid = study_a
), met AS (
    SELECT a.study_a, a.study_b, abs(instant - CASE WHEN by_acquisition THEN b.acquired ELSE b.created END) AS shift, count(DISTINCT instant) AS objects
    FROM first a JOIN pair_objects b ON b.study_uid = a.study_b AND b.place = a.place GROUP BY a.study_a, a.study_b, shift
)
SELECT study_a, study_b FROM met WHERE shift IS NOT NULL GROUP BY study_a, study_b
HAVING max(objects) >= getvariable('study_few') AND max(objects) >= getvariable('study_same') * sum(objects)
    AND arg_max(shift, objects) <= getvariable('study_shift_minutes') * 60;
-- Series as sets of what tells them apart: the share of the smaller set that the other one has
CREATE TEMP TABLE same_series AS
WITH wanted AS (SELECT DISTINCT study_uid FROM pair_objects), tokens AS (
    SELECT DISTINCT study_uid, unnest([hash(1, modality, trim(number)), hash(2, modality, plain_words(description)), hash(3, modality, objects), hash(4, modality, geometry)]) AS token
    FROM study_series SEMI JOIN wanted USING (study_uid)
), sizes AS (SELECT study_uid, count(*) AS tokens FROM tokens GROUP BY study_uid),
first AS MATERIALIZED (SELECT study_a, study_b, token FROM study_candidates JOIN tokens ON study_uid = study_a),
met AS (
    SELECT study_a, study_b, count(*) AS same FROM first a JOIN tokens b ON b.study_uid = a.study_b AND b.token = a.token
    GROUP BY study_a, study_b
)
SELECT study_a, study_b, same / least(m.tokens, n.tokens) AS share
FROM met JOIN sizes m ON m.study_uid = study_a JOIN sizes n ON n.study_uid = study_b;
CREATE TEMP TABLE shared_series AS
WITH uids AS (SELECT DISTINCT study_uid, series_uid FROM study_series WHERE trim(series_uid) <> ''),
first AS MATERIALIZED (SELECT study_a, study_b, series_uid FROM study_candidates JOIN uids ON study_uid = study_a)
SELECT DISTINCT study_a, study_b FROM first a JOIN uids b ON b.study_uid = a.study_b AND b.series_uid = a.series_uid;
CREATE TEMP TABLE same_accessions AS
SELECT study_a, study_b, min(CASE
    WHEN a.core = b.core AND a.issuer <> b.issuer THEN 4
    WHEN a.accession = b.accession THEN 1 WHEN a.key = b.key THEN 2
    WHEN a.core = b.core THEN 3
    WHEN least(length(a.key), length(b.key)) >= 5 AND (ends_with(a.key, b.key) OR ends_with(b.key, a.key)) THEN 3 ELSE 5 END) AS step
FROM study_candidates c JOIN study_accessions a ON a.study_uid = c.study_a JOIN study_accessions b ON b.study_uid = c.study_b
GROUP BY study_a, study_b;
CREATE TEMP TABLE study_measures AS
SELECT c.study_a, c.study_b, c.whose, n.objects AS objects_a, m.objects AS objects_b,
    coalesce(p.same, 0) AS same_pixels, a.description AS text_a, b.description AS text_b,
    ['equal', 'padding', 'prefix', 'other-issuer', 'differs'][x.step] AS accession,
    abs(a.day - b.day)::DOUBLE AS "day",
    abs(a.start - b.start) / 60 AS "minutes",
    CASE WHEN minutes BETWEEN 58 AND 842 AND least(minutes % 60, 60 - minutes % 60) <= 2 THEN 'whole' END AS "hours",
    coalesce(s.share, 0) AS series,
    CASE WHEN u.study_a IS NOT NULL THEN 'shared' END AS series_uid,
    CASE WHEN p.same > 0 THEN p.same / least(n.digests, m.digests)
         WHEN f.study_a IS NOT NULL THEN 0 END AS pixels,
    CASE WHEN k.study_a IS NULL THEN NULL
         WHEN t.exact >= getvariable('study_same') AND k.times >= getvariable('study_few') THEN 'same'
         WHEN t.exact >= getvariable('study_same') THEN 'few-same' WHEN t.exact >= getvariable('study_some') THEN 'some'
         WHEN t.by_hours >= getvariable('study_same') AND k.times >= getvariable('study_few') THEN 'hours'
         WHEN t.by_hours >= getvariable('study_same') THEN 'few-hours'
         WHEN h.study_a IS NOT NULL THEN 'shifted' ELSE 'none' END AS instants,
    CASE WHEN list_has_any(a.serials, b.serials) THEN 'equal' WHEN len(a.serials) > 0 AND len(b.serials) > 0 THEN 'other'
         WHEN list_has_any(a.stations, b.stations) THEN 'equal' WHEN len(a.stations) > 0 AND len(b.stations) > 0 THEN 'other' END AS device,
    CASE WHEN list_has_any(a.sides, b.sides) THEN 'equal' WHEN len(a.sides) > 0 AND len(b.sides) > 0 THEN 'other' END AS side,
    CASE WHEN list_has_any(a.body_parts, b.body_parts) THEN 'equal' WHEN len(a.body_parts) > 0 AND len(b.body_parts) > 0 THEN 'other' END AS body_part,
    CASE WHEN len(a.modalities) = 0 OR len(b.modalities) = 0 THEN NULL
         WHEN list_sort(a.modalities) = list_sort(b.modalities) THEN 'equal'
         WHEN list_has_any(a.modalities, b.modalities) THEN 'overlap' ELSE 'other' END AS modality,
    CASE WHEN a.study_id = b.study_id THEN 'equal' WHEN a.study_id <> b.study_id THEN 'other' END AS study_id,
    CASE WHEN a.derived AND b.derived THEN 'papers'
         WHEN (a.documents OR b.documents) THEN 'report' WHEN a.derived OR b.derived THEN 'results' ELSE 'pictures' END AS kind,
    CASE WHEN list_has_any(a.sources, b.sources) THEN 'same' ELSE 'other' END AS place
FROM study_candidates c
    JOIN study_features a ON a.study_uid = c.study_a JOIN study_features b ON b.study_uid = c.study_b
    JOIN pair_counts n ON n.study_uid = c.study_a JOIN pair_counts m ON m.study_uid = c.study_b
    LEFT JOIN same_pictures p ON p.study_a = c.study_a AND p.study_b = c.study_b
    LEFT JOIN same_forms f ON f.study_a = c.study_a AND f.study_b = c.study_b
    LEFT JOIN pair_clocks k ON k.study_a = c.study_a AND k.study_b = c.study_b
    LEFT JOIN clock_shifts t ON t.study_a = c.study_a AND t.study_b = c.study_b
    LEFT JOIN steady_shifts h ON h.study_a = c.study_a AND h.study_b = c.study_b
    LEFT JOIN same_series s ON s.study_a = c.study_a AND s.study_b = c.study_b
    LEFT JOIN shared_series u ON u.study_a = c.study_a AND u.study_b = c.study_b
    LEFT JOIN same_accessions x ON x.study_a = c.study_a AND x.study_b = c.study_b

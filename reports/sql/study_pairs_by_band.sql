-- Pairs of studies by band, where they lie, and what happens to them
WITH asked AS (
    SELECT DISTINCT study FROM (SELECT unnest([study_a, study_b]) AS study FROM study_pairs)
), places AS (
    SELECT a.study, min(i.source) AS low, max(i.source) AS high
    FROM asked a JOIN instances i ON trim(i.StudyInstanceUID) = a.study GROUP BY a.study
), ends AS (
    SELECT band, count(DISTINCT group_id) AS groups, string_agg(DISTINCT disposition, ', ' ORDER BY disposition) AS disposition
    FROM duplicates WHERE class = 'h' GROUP BY band
)
SELECT p.band, count(*) AS pairs, count(*) FILTER (a.low = b.low AND a.low = a.high AND b.low = b.high) AS here,
    count(*) FILTER (a.low <> b.low OR a.low <> a.high OR b.low <> b.high) AS across,
    count(*) FILTER (p.person_id IS NULL) AS persons, count(*) FILTER (p.same_pixels > 0) AS pixels,
    any_value(e.groups) AS groups, any_value(e.disposition) AS disposition
FROM study_pairs p LEFT JOIN places a ON a.study = p.study_a LEFT JOIN places b ON b.study = p.study_b
    LEFT JOIN ends e ON e.band = p.band
GROUP BY p.band ORDER BY list_position(['certain', 'possible', 'no'], p.band)

-- Each source: files, objects, studies, records, size and span of time
WITH files AS (
    SELECT source, count(*) AS files, count(*) FILTER (kind = 'instance') AS objects,
        count(*) FILTER (kind = 'unreadable') AS unreadable, count(*) FILTER (kind = 'index') AS indexes, coalesce(sum(size), 0)::BIGINT AS bytes
    FROM inventory GROUP BY source
), dated AS (
    SELECT source, StudyDate, try_strptime(StudyDate, '%Y%m%d') BETWEEN DATE '1980-01-01'
        AND coalesce((SELECT max(left(started, 10))::DATE FROM runs), DATE '9999-12-31') AS plausible
    FROM studies
), spans AS (
    SELECT source, count(*) AS studies, min(StudyDate) FILTER (plausible) AS first_study,
        max(StudyDate) FILTER (plausible) AS last_study
    FROM dated GROUP BY source
), people AS (SELECT source, count(*) AS records FROM patient_records GROUP BY source)
SELECT CASE WHEN s.department = s.source THEN s.source ELSE s.source || ' (' || s.department || ')' END AS source,
    coalesce(files, 0) AS files, coalesce(objects, 0) AS objects,
    coalesce(unreadable, 0) AS unreadable, coalesce(indexes, 0) AS indexes, coalesce(studies, 0) AS studies, coalesce(records, 0) AS records,
    coalesce(bytes, 0) AS bytes, first_study, last_study
FROM sources s LEFT JOIN files USING (source) LEFT JOIN spans USING (source) LEFT JOIN people USING (source)
ORDER BY 1

-- One row an entry of an index; files_missing tells whether the files it is the index of hold nothing of it.
SELECT e.*, m.index_source IS NOT NULL AS files_missing, $settings
FROM entries e LEFT JOIN sources s USING (source)
    LEFT JOIN (SELECT DISTINCT index_source, level, study_uid, series_uid, sop_uid FROM drift WHERE kind = 'only-in-index') m
        ON m.index_source = e.source AND m.level = e.level AND m.study_uid = trim(e.study_uid)
        AND m.series_uid IS NOT DISTINCT FROM CASE WHEN e.level <> 'STUDY' THEN trim(e.series_uid) END
        AND m.sop_uid IS NOT DISTINCT FROM CASE WHEN e.level = 'INSTANCE' THEN trim(e.sop_uid) END
WHERE e.origin IN ('dimse', 'dicomweb', 'export', 'inventory') AND e.level IN ('STUDY', 'SERIES', 'INSTANCE')

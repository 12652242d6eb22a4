SELECT index_source AS index, attribute, kind, file_value AS files, index_value AS told, winner, instances AS objects,
    coalesce(sop_uid, series_uid) AS part
FROM drift WHERE study_uid = $1 ORDER BY ALL

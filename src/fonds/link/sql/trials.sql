-- What would be written into each object whose UIDs or references change, as view `standing_changes` tells it afterwards;
-- objects of units that are refused already are not tried.
CREATE TEMP TABLE trials AS
WITH touched AS (
    SELECT source, location, units FROM attributes_changed
    UNION ALL SELECT source, location, units FROM rewritten WHERE NOT dangles AND NOT ambiguous
), asked AS (
    SELECT source, location, list_distinct(flatten(list(units))) AS units FROM touched GROUP BY source, location
), free AS (
    FROM asked ANTI JOIN (
        SELECT DISTINCT source, location FROM (SELECT source, location, unnest(units) AS unit FROM asked) SEMI JOIN refusals USING (unit)
    ) r USING (source, location)
), written AS (
    SELECT source, location, path, "before", after, reason, rule FROM changes
    WHERE state = 'approved' AND attribute NOT IN ('StudyInstanceUID', 'SeriesInstanceUID', 'SOPInstanceUID')
    UNION ALL
    SELECT source, location, path, "before", after, 'COERCE', 'remap' FROM attributes_changed
    UNION ALL
    SELECT source, location, 'references',
        to_json(list([to_study_uid, to_series_uid, to_sop_uid, to_frame_of_reference_uid] ORDER BY to_study_uid, to_series_uid, to_sop_uid, to_frame_of_reference_uid))::VARCHAR,
        to_json(list([new_study_uid, new_series_uid, new_sop_uid, to_frame_of_reference_uid] ORDER BY to_study_uid, to_series_uid, to_sop_uid, to_frame_of_reference_uid))::VARCHAR, 'COERCE', 'remap'
    FROM rewritten WHERE NOT dangles AND NOT ambiguous GROUP BY source, location
)
SELECT f.source, f.location, any_value(f.units) AS units, any_value(i.SOPClassUID) AS sop_class_uid, any_value(i.SOPInstanceUID) AS sop_uid,
    any_value(i.transfer_syntax) AS transfer_syntax,
    to_json(list({'path': w.path, 'before': w."before", 'after': w.after, 'reason': w.reason, 'rule': w.rule} ORDER BY w.path))::VARCHAR AS changes
FROM free f JOIN written w ON w.source = f.source AND w.location = f.location
    JOIN instances i ON i.source = f.source AND i.location = f.location
GROUP BY f.source, f.location

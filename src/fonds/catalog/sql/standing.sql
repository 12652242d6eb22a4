-- What will be written into an object when it moves: approved changes, and what new UIDs bring with them. UIDs change only
-- with all that points to them, so an approved change of one counts once the link stage has planned it. `references` is no
-- attribute: its values are JSON lists of [study, series, object, frame of reference], what the object points to before and
-- after, in one order.
CREATE OR REPLACE VIEW standing_changes AS
SELECT source, location, attribute, path, "before", after, reason, rule FROM changes
WHERE state = 'approved' AND attribute NOT IN ('StudyInstanceUID', 'SeriesInstanceUID', 'SOPInstanceUID')
UNION ALL
SELECT source, location, attribute, path, "before", after, 'COERCE', concat('remap.', cause) FROM remaps WHERE state = 'planned'
UNION ALL
SELECT source, location, 'references', 'references',
    to_json(list([to_study_uid, to_series_uid, to_sop_uid, to_frame_of_reference_uid] ORDER BY to_study_uid, to_series_uid, to_sop_uid, to_frame_of_reference_uid))::VARCHAR,
    to_json(list([new_study_uid, new_series_uid, new_sop_uid, new_frame_of_reference_uid] ORDER BY to_study_uid, to_series_uid, to_sop_uid, to_frame_of_reference_uid))::VARCHAR,
    'COERCE', concat('remap.', string_agg(DISTINCT cause, ', ' ORDER BY cause))
FROM rewrites WHERE state = 'planned' GROUP BY source, location;
-- What new UIDs bring, each in a short mark: receipts keep those an object was sent with.
CREATE OR REPLACE MACRO remap_mark(path, old, new) AS left(sha256(concat_ws('|', path, old, new)), 16);
CREATE OR REPLACE MACRO rewrite_mark(study, series, sop, frame, new_study, new_series, new_sop) AS
    left(sha256(to_json([study, series, sop, frame, new_study, new_series, new_sop])::VARCHAR), 16);
CREATE OR REPLACE VIEW uid_marks AS
SELECT source, location, list_sort(list(mark)) AS marks FROM (
    SELECT source, location, remap_mark(path, "before", after) AS mark FROM remaps WHERE state = 'planned'
    UNION ALL
    SELECT source, location, rewrite_mark(to_study_uid, to_series_uid, to_sop_uid, to_frame_of_reference_uid,
        new_study_uid, new_series_uid, new_sop_uid) FROM rewrites WHERE state = 'planned'
) GROUP BY source, location

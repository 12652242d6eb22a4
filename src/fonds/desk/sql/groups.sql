-- Groups of duplicates for people, those that hold most studies first, then most objects.
-- Parameters: class ('' for all), source ('' for all), band ('' for all), state (open, decided, all), after (a group's
-- place: held studies, held objects; NULL: from the start) and after_group, backwards, wanted (rows), skipped (rows).
WITH decided AS (
    SELECT subject_a AS group_id, max(decision_id) AS decision_id, arg_max(verdict, decision_id) AS verdict,
        arg_max(who, decision_id) AS who, max("at") AS decided_at
    FROM standing WHERE kind = 'duplicate' GROUP BY subject_a
), chosen AS (
    SELECT g.*, d.* EXCLUDE (group_id), waits(g.held, d.decided_at) AS waiting, (-held_studies, -held_objects, group_id) AS place
    FROM duplicate_groups g LEFT JOIN decided d USING (group_id)
    WHERE ($class = '' OR class = $class) AND ($source = '' OR list_contains(sources, $source))
        AND ($band = '' OR band = $band) AND CASE $state
        WHEN 'open' THEN waiting
        WHEN 'decided' THEN d.verdict IS NOT NULL
        ELSE true END
), shown AS (
    SELECT *, count(*) OVER () AS total FROM chosen
    WHERE $after_group IS NULL
        OR CASE WHEN $backwards THEN place < (-$after_studies::BIGINT, -$after_objects::BIGINT, $after_group)
            ELSE place > (-$after_studies::BIGINT, -$after_objects::BIGINT, $after_group) END
    ORDER BY CASE WHEN $backwards THEN place END DESC, place LIMIT $wanted OFFSET $skipped
), studies AS (
    SELECT group_id, min(study_uid) AS study_uid FROM duplicates SEMI JOIN shown USING (group_id) GROUP BY group_id
), named AS (
    SELECT StudyInstanceUID AS study_uid, min(PatientName) AS patient, min(StudyDate) AS day,
        array_to_string(list_sort(list(DISTINCT Modality) FILTER (Modality <> '')), ', ') AS modalities
    FROM instances SEMI JOIN studies ON studies.study_uid = StudyInstanceUID GROUP BY StudyInstanceUID
)
SELECT s.* EXCLUDE (place), n.patient, n.day, n.modalities
FROM shown s LEFT JOIN studies t USING (group_id) LEFT JOIN named n USING (study_uid)
ORDER BY CASE WHEN $backwards THEN place END DESC, place

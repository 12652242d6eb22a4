SELECT DISTINCT study_uid FROM context_objects WHERE person_id = $person ORDER BY study_uid

SELECT person_id, 'of ' || string_agg(DISTINCT source, ', ' ORDER BY source) AS why FROM context_objects WHERE study_uid = $name GROUP BY person_id

SELECT DISTINCT person_id, 'person' AS why FROM persons WHERE person_id = $name OR record_id = $name

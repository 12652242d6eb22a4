-- Records of a person
SELECT record_id FROM persons WHERE person_id = $person ORDER BY record_id

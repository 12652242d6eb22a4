-- What happened to these records
FROM person_events WHERE list_contains($records, record_id) ORDER BY event_id

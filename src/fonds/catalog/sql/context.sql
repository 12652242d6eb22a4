-- A person's history over all archives and feeds, in the order of time.
CREATE OR REPLACE VIEW timeline AS
SELECT NULL::VARCHAR AS person_id, NULL::VARCHAR AS at, NULL::VARCHAR AS kind WHERE false

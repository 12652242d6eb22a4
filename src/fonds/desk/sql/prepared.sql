-- What every page of the queue asks for: made once a publication
CREATE TABLE records AS SELECT r.*, department FROM patient_records r LEFT JOIN sources USING (source);
-- Impact: studies that wait times how unsure the machine is. A pair that a constraint put into question (its note
-- says which) is as unsure as can be, whatever its weight.
CREATE VIEW weighed_pairs AS
SELECT *, round(coalesce(studies, 1)
    * CASE WHEN note IS NOT NULL THEN 1 ELSE 1 - abs(2 * coalesce(probability, 0.5) - 1) END, 6) AS impact
FROM pairs

-- What every page of the queue asks for: made once a publication
CREATE TABLE records AS SELECT r.*, department FROM patient_records r LEFT JOIN sources USING (source);
-- Impact: studies that wait times how unsure the machine is. A pair that a constraint put into question (its note
-- says which) is as unsure as can be, whatever its weight.
CREATE VIEW weighed_pairs AS
SELECT *, round(coalesce(studies, 1)
    * CASE WHEN note IS NOT NULL THEN 1 ELSE 1 - abs(2 * coalesce(probability, 0.5) - 1) END, 6) AS impact
FROM pairs
;
-- Values with candidates. What a spelling means is one question for all studies that have it; any other is one of a
-- patient. subject_a and subject_b are those of the decision that answers it.
CREATE VIEW questions AS
SELECT *, CASE WHEN spelling IS NULL THEN 'change' ELSE 'mapping' END AS kind,
    coalesce(lookup, change_id) AS subject_a, concat_ws(chr(31), spelling, modalities) AS question
FROM (
    SELECT *, json_extract_string(candidates, '$[0].spelling') AS spelling,
        json_extract_string(candidates, '$[0].modalities') AS modalities,
        json_extract_string(candidates, '$[0].rule') AS lookup
    FROM changes WHERE candidates IS NOT NULL AND needs = 'steward'
);
CREATE MACRO question_of(kind, subject_b) AS CASE WHEN kind = 'mapping' THEN
    concat_ws(chr(31), json_extract_string(subject_b, '$.spelling'), json_extract_string(subject_b, '$.modalities'))
    ELSE '' END

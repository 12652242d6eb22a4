-- Every pair with what decides about it. A decision doesn't count: it is asked what the machine would do by itself.
--   identifier  a rule or a feed's merge links it
--   threshold   enough agrees, so its probability alone decides
--   evidence    too little agrees to link by itself, whatever its probability
--   constraint  a rule keeps it apart or sends it to a person
--   others      one person through other records
--   cluster     linked by itself, but its cluster doesn't hold together
CREATE OR REPLACE TEMP TABLE standing AS
WITH judged AS (
    SELECT p.record_a, p.record_b, p.probability, p.band, p.decided IS NOT NULL AS decided,
        CASE WHEN note = 'merged by a feed' THEN 'link' WHEN starts_with(note, 'merged by a feed') THEN 'review'
            ELSE outcome END AS outcome,
        a.person_id = b.person_id AS together, coalesce(enough, false) AS enough
    FROM pairs p JOIN persons a ON a.record_id = p.record_a JOIN persons b ON b.record_id = p.record_b
    LEFT JOIN pattern_frame USING (pattern)
)
SELECT record_a, record_b, probability, band, decided,
    CASE
        WHEN outcome = 'link' THEN CASE WHEN together OR decided THEN 'identifier' ELSE 'cluster' END
        WHEN outcome IS NULL AND enough AND probability >= $link
            THEN CASE WHEN together OR decided THEN 'threshold' ELSE 'cluster' END
        WHEN together AND NOT decided THEN 'others'
        WHEN outcome IS NOT NULL THEN 'constraint'
        WHEN enough THEN 'threshold'
        ELSE 'evidence'
    END AS rests_on
FROM judged
UNION ALL
-- what holds a person together without ever having been compared
SELECT a.record_id, b.record_id, NULL, 'link', false, 'others'
FROM persons a JOIN persons b ON a.person_id = b.person_id AND a.record_id < b.record_id
ANTI JOIN pairs p ON p.record_a = a.record_id AND p.record_b = b.record_id

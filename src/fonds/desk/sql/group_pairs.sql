-- How the studies of a group compare (parameters: studies, wanted)
SELECT study_a, study_b, score, band, evidence, objects_a, objects_b, same_pixels FROM study_pairs
WHERE study_a IN (SELECT unnest($studies)) AND study_b IN (SELECT unnest($studies))
ORDER BY score DESC, study_a, study_b LIMIT $wanted

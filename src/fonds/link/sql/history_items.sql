-- What stands in `timeline` of this person, asked by study: only their studies' objects are read again.
FROM (
    SELECT * FROM archive_items WHERE person_id = $person AND list_contains($studies::VARCHAR[], study_uid)
    UNION ALL BY NAME
    SELECT * REPLACE ($person AS person_id) FROM feed_items
    WHERE person_id = $person OR person_id IS NULL AND list_contains($studies::VARCHAR[], study_uid)
)
ORDER BY "at" NULLS LAST, study_uid, kind = 'study' DESC, kind, source, item

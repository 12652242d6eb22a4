-- Feeds whose records were matched
FROM feeds ORDER BY source

-- Keywords in which copies differ from the kept one though the catalog sees no difference, as their files say; without those
-- that the policy ignores, and, of another transfer syntax, without those in which an encoder tells what it did.
CREATE TEMP TABLE told_attributes AS
WITH ignored AS (
    SELECT coalesce(list(word) FILTER (NOT encoding), []) AS always, coalesce(list(word), []) AS encoded FROM ignored_words
)
SELECT r.source, r.location, r.opened, list_filter(string_split(coalesce(r.words, ''), ' '), lambda w: w <> ''
    AND NOT list_contains(CASE WHEN p.syntax IS DISTINCT FROM p.kept_syntax THEN i.encoded ELSE i.always END, w)) AS attributes
FROM read_attributes r JOIN copy_pairs p ON p.source = r.source AND p.location = r.location, ignored i

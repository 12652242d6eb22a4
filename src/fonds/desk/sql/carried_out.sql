-- What the link stage made of a group: objects that get new UIDs, and that are rewritten for it, by state
SELECT count(DISTINCT (source, location)) FILTER (what = 'remap') AS objects,
    count(DISTINCT (source, location)) FILTER (what = 'rewrite') AS pointing,
    list_sort(list(DISTINCT source) FILTER (what = 'rewrite')) AS sources
FROM (
    SELECT source, location, 'remap' AS what FROM remaps WHERE state = 'planned' AND cause = $group
    UNION ALL
    SELECT source, location, 'rewrite' FROM rewrites WHERE state = 'planned' AND list_contains(string_split(cause, ', '), $group)
)

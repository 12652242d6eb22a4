-- Everything the catalog has of some members (parameters: group, sources and places of equal length)
SELECT i.* FROM instances i SEMI JOIN (SELECT unnest($sources) AS source, unnest($places) AS location) m
    ON m.source = i.source AND m.location = i.location

-- What isn't as the objects' IODs want it, most objects first
SELECT module, coalesce(keyword, any_value(path)) AS attribute, problem, type, count(DISTINCT (source, location)) AS objects,
    list_sort(list(DISTINCT source)) AS sources, min(expected) AS expected
FROM conformance WHERE path <> '' GROUP BY module, keyword, problem, type ORDER BY objects DESC, module, keyword, problem

-- One row a file: the objects catalogued, and those that couldn't be read (all of their columns NULL but `reason`),
-- beside what the comparison of a sample with its IODs told.
SELECT i.*, NULL::VARCHAR AS reason, $kind, $settings, c.* EXCLUDE (source, location)
FROM instances i LEFT JOIN sources s USING (source)
LEFT JOIN (
    SELECT source, location, $iod
    FROM conformance GROUP BY source, location HAVING bool_and(problem <> 'unreadable')
) c ON c.source = i.source AND c.location = i.location
UNION ALL BY NAME
SELECT u.source, u.location, u.size, u.mtime_ns, u.reason, $settings
FROM unreadable u LEFT JOIN sources s USING (source) WHERE u.reason <> 'not_dicom'

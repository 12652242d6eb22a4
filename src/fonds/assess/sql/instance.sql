-- One row a file: the objects catalogued, and those that couldn't be read (all of their columns NULL but `reason`).
SELECT i.*, NULL::VARCHAR AS reason, $kind, $settings
FROM instances i LEFT JOIN sources s USING (source)
UNION ALL BY NAME
SELECT u.source, u.location, u.size, u.mtime_ns, u.reason, $settings
FROM unreadable u LEFT JOIN sources s USING (source) WHERE u.reason <> 'not_dicom'

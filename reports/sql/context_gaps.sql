-- What is missing around studies, orders and reports
SELECT g.kind, coalesce(any_value(m.title), g.kind) AS title, any_value(g.severity) AS severity, count(*) AS gaps,
    count(DISTINCT g.study_uid) AS studies, count(DISTINCT g.person_id) AS persons,
    list_sort(list(DISTINCT g.source)) AS sources, any_value(m.text) AS fix
FROM gaps g LEFT JOIN remedies m ON m.kind = 'gaps' AND m.code = g.kind
WHERE g.kind IN ('images-without-report', 'only-preliminary-report', 'report-without-images', 'report-on-other-patient',
    'order-without-study', 'study-without-order', 'order-on-other-patient', 'cancelled-order-with-images',
    'annotation-without-image', 'accession-on-two-patients', 'accession-collision')
GROUP BY g.kind ORDER BY gaps DESC, g.kind

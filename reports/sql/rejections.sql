-- Rejection notes, what they take back, and what of it the plan leaves behind. Titles: PS3.16 CID 7011
WITH notes AS (
    SELECT source, location, SOPInstanceUID AS sop_uid, document_title(DocumentTitleCode) AS title FROM instances
    WHERE object_kind(SOPClassUID, DocumentTitleCode, Modality, pixel_length) = 'rejection'
), pointed AS (
    SELECT n.source, n.title, n.sop_uid, l.to_sop_uid, bool_or(l.rejects) AS heeded, bool_and(l.state = 'dangling') AS gone
    FROM notes n JOIN links l ON l.source = n.source AND l.location = n.location
    WHERE l.to_sop_uid <> '' GROUP BY ALL
), counted AS (
    SELECT source, title, count(DISTINCT to_sop_uid) FILTER (heeded AND NOT gone) AS taken, count(DISTINCT to_sop_uid) FILTER (gone) AS gone,
        count(DISTINCT to_sop_uid) FILTER (NOT coalesce(heeded, false) AND NOT gone) AS unheeded
    FROM pointed GROUP BY ALL
)
SELECT n.source, coalesce(n.title, 'Other') AS title, count(DISTINCT n.sop_uid) AS notes, coalesce(any_value(c.taken), 0) AS taken,
    coalesce(any_value(c.gone), 0) AS gone, coalesce(any_value(c.unheeded), 0) AS unheeded
FROM notes n LEFT JOIN counted c ON c.source = n.source AND c.title IS NOT DISTINCT FROM n.title
GROUP BY n.source, n.title ORDER BY n.source, n.title

-- One row an instance, beside what other archives hold under the same UIDs, digests, patient ID or accession number.
-- Every look-up begins with the keys that stand in more than one archive (by hash, so that the others cost little) and
-- goes on with those alone. Of one ID or accession number each holder is compared with at most 50 of every other archive.
SELECT i.* REPLACE (CASE WHEN trim(coalesce(i.StudyInstanceUID, '')) = '' THEN '' ELSE i.StudyInstanceUID END AS StudyInstanceUID),
    coalesce(i.digest_pixels IS NOT NULL AND i.pixel_length >= 64, false) AS pixels_compared,
    c.elsewhere AS copies_elsewhere, c.alike AS copies_alike, c.pixels_differ AS copies_pixels_differ,
    c.header_differs AS copies_header_differs, c.filed_otherwise AS copies_filed_otherwise,
    CASE WHEN t.one = trim(i.SOPInstanceUID) THEN t.other ELSE t.one END AS pixels_known_as,
    u.instances_elsewhere, u.archives_differ, n.id_elsewhere, n.accession_elsewhere, $settings
FROM instances i LEFT JOIN sources s USING (source)
    LEFT JOIN (
        WITH keys AS (
            SELECT hash(trim(SOPInstanceUID)) AS key FROM instances WHERE trim(SOPInstanceUID) <> ''
            GROUP BY ALL HAVING min(source) <> max(source)
        ), copies AS (
            SELECT source, trim(SOPInstanceUID) AS sop, StudyInstanceUID, SeriesInstanceUID, transfer_syntax, digest_object,
                digest_header, digest_pixels,
                -- native little endian pixel data is the same bytes, whether VRs are explicit or not
                CASE WHEN transfer_syntax IN ('1.2.840.10008.1.2', '1.2.840.10008.1.2.1') THEN 'native' ELSE transfer_syntax END AS coding
            FROM instances SEMI JOIN keys ON key = hash(trim(SOPInstanceUID))
        ), pixels AS (
            SELECT sop, bool_or(differ) AS pixels_differ FROM (
                SELECT sop, min(digest_pixels) <> max(digest_pixels) AS differ FROM copies GROUP BY sop, coding HAVING count(digest_pixels) > 1
            ) GROUP BY sop
        ), headers AS (
            SELECT sop, bool_or(differ) AS header_differs FROM (
                SELECT sop, min(digest_header) <> max(digest_header) AS differ FROM copies
                GROUP BY sop, transfer_syntax HAVING count(digest_header) > 1
            ) GROUP BY sop
        )
        SELECT sop, count(DISTINCT source) - 1 AS elsewhere, min(StudyInstanceUID) <> max(StudyInstanceUID)
                OR coalesce(min(SeriesInstanceUID) <> max(SeriesInstanceUID), false) AS filed_otherwise,
            CASE WHEN count(digest_header) = count(*) THEN min(digest_header) = max(digest_header)
                AND coalesce(min(digest_pixels) = max(digest_pixels), true) AND count(digest_pixels) IN (0, count(*)) END AS alike,
            any_value(pixels_differ) AS pixels_differ, any_value(header_differs) AS header_differs
        FROM copies LEFT JOIN pixels USING (sop) LEFT JOIN headers USING (sop)
        GROUP BY sop HAVING min(source) <> max(source)
    ) c ON c.sop = trim(i.SOPInstanceUID)
    LEFT JOIN (
        WITH keys AS (
            SELECT hash(digest_pixels) AS key FROM instances WHERE digest_pixels IS NOT NULL AND pixel_length >= 64
            GROUP BY ALL HAVING min(source) <> max(source) AND count(*) <= 16
        )
        SELECT digest_pixels, min(trim(SOPInstanceUID)) AS one, max(trim(SOPInstanceUID)) AS other
        FROM instances SEMI JOIN keys ON key = hash(digest_pixels) WHERE pixel_length >= 64
        GROUP BY digest_pixels HAVING min(source) <> max(source) AND one <> other
    ) t ON t.digest_pixels = i.digest_pixels
    LEFT JOIN (
        WITH keys AS (
            SELECT hash(StudyInstanceUID) AS key FROM instances WHERE trim(StudyInstanceUID) <> ''
            GROUP BY ALL HAVING min(source) <> max(source)
        ), held AS (
            SELECT i.*, coalesce(nullif(trim(IssuerOfPatientID), ''), s.issuer, '') AS issued_by,
                coalesce(nullif(trim(IssuerOfAccessionNumberEntityID), ''), s.accession_issuer, '') AS ordered_by
            FROM (
                SELECT source, StudyInstanceUID, trim(SOPInstanceUID) AS sop, PatientID, IssuerOfPatientID, PatientName,
                    PatientBirthDate, PatientSex, StudyDate, AccessionNumber, IssuerOfAccessionNumberEntityID
                FROM instances SEMI JOIN keys ON key = hash(StudyInstanceUID)
            ) i LEFT JOIN sources s USING (source)
        ), told AS (
            SELECT source, StudyInstanceUID, count(DISTINCT sop) AS here, min(nullif(trim(PatientID), '')) AS id,
                min(issued_by) AS issued_by, min(family_name(PatientName)) AS family,
                min(PatientBirthDate) FILTER ($valid_birth_date AND PatientBirthDate NOT IN $default_birth_dates) AS birth,
                min(PatientSex) FILTER (PatientSex IN ('M', 'F')) AS sex, min(nullif(trim(StudyDate), '')) AS day,
                min(nullif(trim(AccessionNumber), '')) AS accession, min(ordered_by) AS ordered_by
            FROM held GROUP BY ALL
        ), everywhere AS (
            SELECT StudyInstanceUID, count(DISTINCT sop) AS objects FROM held GROUP BY ALL
        ), differing AS (
            SELECT StudyInstanceUID, concat_ws(' ',
                CASE WHEN min(issued_by) = max(issued_by) AND min(issued_by) <> '' AND min(id) <> max(id) THEN 'PatientID' END,
                CASE WHEN jaro_winkler_similarity(min(family), max(family)) < 0.8 THEN 'PatientName' END,
                CASE WHEN min(birth) <> max(birth) THEN 'PatientBirthDate' END, CASE WHEN min(sex) <> max(sex) THEN 'PatientSex' END,
                CASE WHEN min(day) <> max(day) THEN 'StudyDate' END,
                CASE WHEN min(ordered_by) = max(ordered_by) AND min(accession) <> max(accession) THEN 'AccessionNumber' END
            ) AS archives_differ
            FROM told GROUP BY ALL HAVING min(source) <> max(source)
        )
        SELECT source, StudyInstanceUID, objects - here AS instances_elsewhere, archives_differ
        FROM told JOIN everywhere USING (StudyInstanceUID) JOIN differing USING (StudyInstanceUID)
    ) u ON u.source = i.source AND u.StudyInstanceUID = i.StudyInstanceUID
    LEFT JOIN (
        WITH people AS (
            -- an ID or number without a digit, or of one character repeated, stands for nobody
            SELECT r.*, coalesce(nullif(trim(IssuerOfPatientID), ''), s.issuer, '') AS issued_by, CASE WHEN regexp_matches(plain_id(PatientID), '[0-9]') AND replace(plain_id(PatientID), left(plain_id(PatientID), 1), '') <> '' THEN plain_id(PatientID) END AS id,
                family_name(PatientName) AS family,
                CASE WHEN $valid_birth_date AND PatientBirthDate NOT IN $default_birth_dates THEN PatientBirthDate END AS birth,
                coalesce(nullif(trim(IssuerOfAccessionNumberEntityID), ''), s.accession_issuer, '') AS ordered_by,
                CASE WHEN regexp_matches(trim(AccessionNumber), '[0-9]') AND replace(trim(AccessionNumber), left(trim(AccessionNumber), 1), '') <> '' THEN trim(AccessionNumber) END AS accession
            FROM (
                SELECT DISTINCT source, IssuerOfPatientID, PatientID, PatientName, PatientBirthDate, AccessionNumber,
                    IssuerOfAccessionNumberEntityID FROM instances
            ) r LEFT JOIN sources s USING (source)
        ), holders AS (
            SELECT *, row_number() OVER (PARTITION BY issued_by, id, source ORDER BY birth, family) AS place
            FROM (SELECT DISTINCT source, issued_by, id, family, birth FROM people WHERE issued_by <> '' AND id IS NOT NULL)
            SEMI JOIN (
                SELECT issued_by, id FROM people WHERE issued_by <> '' AND id IS NOT NULL GROUP BY ALL HAVING min(source) <> max(source)
            ) USING (issued_by, id)
        ), bearers AS (
            SELECT a.source, a.issued_by, a.id, a.family, a.birth,
                coalesce(bool_or(a.birth <> b.birth AND jaro_winkler_similarity(a.family, b.family) < 0.8), false) AS id_elsewhere
            FROM holders a JOIN holders b ON a.issued_by = b.issued_by AND a.id = b.id AND a.source <> b.source AND b.place <= 50
            GROUP BY ALL
        ), ordered AS (
            SELECT *, row_number() OVER (PARTITION BY ordered_by, accession, source ORDER BY birth, id) AS place
            FROM (SELECT DISTINCT source, ordered_by, accession, issued_by, id, birth FROM people WHERE ordered_by <> '' AND accession IS NOT NULL)
            SEMI JOIN (
                SELECT ordered_by, accession FROM people WHERE ordered_by <> '' AND accession IS NOT NULL
                GROUP BY ALL HAVING min(source) <> max(source)
            ) USING (ordered_by, accession)
        ), orders AS (
            SELECT a.source, a.ordered_by, a.accession, a.issued_by, a.id, a.birth,
                coalesce(bool_or(CASE
                    WHEN a.issued_by = b.issued_by AND a.id = b.id THEN false
                    WHEN a.birth IS NOT NULL AND b.birth IS NOT NULL THEN a.birth <> b.birth
                    ELSE a.issued_by = b.issued_by AND a.issued_by <> '' AND a.id <> b.id END), false) AS accession_elsewhere
            FROM ordered a JOIN ordered b ON a.ordered_by = b.ordered_by AND a.accession = b.accession AND a.source <> b.source AND b.place <= 50
            GROUP BY ALL
        )
        SELECT p.source, p.IssuerOfPatientID, p.PatientID, p.PatientName, p.PatientBirthDate, p.AccessionNumber,
            p.IssuerOfAccessionNumberEntityID, b.id_elsewhere, o.accession_elsewhere
        FROM people p
            LEFT JOIN bearers b ON b.source = p.source AND b.issued_by = p.issued_by AND b.id = p.id
                AND b.family IS NOT DISTINCT FROM p.family AND b.birth IS NOT DISTINCT FROM p.birth
            LEFT JOIN orders o ON o.source = p.source AND o.ordered_by = p.ordered_by AND o.accession = p.accession
                AND o.issued_by = p.issued_by AND o.id IS NOT DISTINCT FROM p.id AND o.birth IS NOT DISTINCT FROM p.birth
        WHERE b.id_elsewhere IS NOT NULL OR o.accession_elsewhere IS NOT NULL
    ) n ON n.source = i.source AND n.PatientID IS NOT DISTINCT FROM i.PatientID
        AND n.IssuerOfPatientID IS NOT DISTINCT FROM i.IssuerOfPatientID AND n.PatientName IS NOT DISTINCT FROM i.PatientName
        AND n.PatientBirthDate IS NOT DISTINCT FROM i.PatientBirthDate AND n.AccessionNumber IS NOT DISTINCT FROM i.AccessionNumber
        AND n.IssuerOfAccessionNumberEntityID IS NOT DISTINCT FROM i.IssuerOfAccessionNumberEntityID

-- What objects will be called: study, series and SOP Instance UID of each whose duplicates, or approved changes, give it
-- another one, and of each copy that stays behind those of the copy that goes. `units` (a group of
-- duplicates, or a rule and the study it changes) are what is planned or refused as a whole.
CREATE TEMP MACRO number_of(hex) AS
    ('0x' || hex[1:16])::UBIGINT::UHUGEINT * 18446744073709551616::UHUGEINT + ('0x' || hex[17:32])::UBIGINT::UHUGEINT;
-- A UID of a 128-bit number (PS3.5 B.2): the same for the same object at each run, so that nothing needs to be remembered.
CREATE TEMP MACRO new_uid(kind, uid, apart) AS concat('2.25.', number_of(sha256(concat_ws('|', kind, uid, apart))));
CREATE TEMP TABLE approved AS
SELECT source, location, bool_or(attribute = 'StudyInstanceUID') AS of_study, bool_or(attribute = 'SeriesInstanceUID') AS of_series,
    bool_or(attribute = 'SOPInstanceUID') AS of_sop, max(after) FILTER (attribute = 'StudyInstanceUID') AS study_uid,
    max(after) FILTER (attribute = 'SeriesInstanceUID') AS series_uid, max(after) FILTER (attribute = 'SOPInstanceUID') AS sop_uid,
    max(rule) FILTER (attribute = 'StudyInstanceUID') AS study_rule, max(rule) FILTER (attribute = 'SeriesInstanceUID') AS series_rule,
    max(rule) FILTER (attribute = 'SOPInstanceUID') AS sop_rule
FROM changes WHERE state = 'approved' AND attribute IN ('StudyInstanceUID', 'SeriesInstanceUID', 'SOPInstanceUID')
GROUP BY source, location;
-- Class g: every person's objects but those of the person with most of them leave the study.
CREATE TEMP TABLE parted AS
SELECT member AS study_uid, min(group_id) AS group_id FROM duplicates WHERE class = 'g'
GROUP BY member HAVING bool_and(disposition = 'remap');
-- Class h: studies that go under another one's UID. Where either study is parted, only the same person's objects do.
CREATE TEMP TABLE united AS
WITH one AS (
    SELECT member AS study_uid, min(kept_location) AS kept_study, min(group_id) AS group_id FROM duplicates
    WHERE class = 'h' GROUP BY member HAVING bool_and(disposition = 'unite') AND min(kept_location) <> member
)
SELECT o.*, o.study_uid IN (SELECT study_uid FROM parted) OR o.kept_study IN (SELECT study_uid FROM parted) AS by_person FROM one o;
CREATE TEMP TABLE owned AS
WITH studies AS (
    SELECT study_uid FROM parted UNION SELECT study_uid FROM united WHERE by_person UNION SELECT kept_study FROM united WHERE by_person
)
SELECT i.source, i.location, i.StudyInstanceUID AS study_uid, i.SOPInstanceUID AS sop_uid,
    coalesce(p.person_id, concat_ws('|', i.source, i.IssuerOfPatientID, i.PatientID)) AS owner
FROM instances i SEMI JOIN studies s ON s.study_uid = i.StudyInstanceUID JOIN instance_records r USING (source, location)
    LEFT JOIN persons p USING (record_id);
CREATE TEMP TABLE owners AS
SELECT o.study_uid, o.owner, p.group_id,
    CASE WHEN p.study_uid IS NOT NULL AND row_number() OVER (PARTITION BY o.study_uid ORDER BY count(DISTINCT o.sop_uid) DESC, o.owner) > 1
        THEN new_uid('study', o.study_uid, o.owner) END AS new_study_uid
FROM owned o LEFT JOIN parted p USING (study_uid) GROUP BY o.study_uid, o.owner, p.study_uid, p.group_id;
-- Classes d and f: what has other pixels than the kept copy, or lies in another series, is another object.
CREATE TEMP TABLE told_apart AS
WITH members AS (
    SELECT source, member AS location, min(sop_uid) AS sop_uid, min(group_id) AS group_id, max(content) AS content,
        min(class) FILTER (disposition = 'remap') AS class, bool_or(disposition = 'remap') AS remapped,
        bool_or(class = 'f' AND disposition = 'remap') AS scattered, bool_or(disposition = 'keep') AS is_kept
    FROM duplicates WHERE level = 'instance' AND class IN ('a', 'b', 'c', 'd', 'f') GROUP BY source, member
), groups AS (
    FROM members SEMI JOIN (SELECT DISTINCT group_id FROM members WHERE remapped) g USING (group_id)
), placed AS (
    SELECT g.*, concat_ws('|', i.StudyInstanceUID, i.SeriesInstanceUID) AS place,
        coalesce(i.digest_pixels, i.digest_object, concat_ws('|', i.source, i.location)) AS digest
    FROM groups g JOIN instances i ON i.source = g.source AND i.location = g.location
), tells AS (
    -- one for all files of these pixels, whatever their encoding
    SELECT group_id, content, min(digest) AS tell FROM placed GROUP BY group_id, content
), kept AS (
    SELECT group_id, min(place) AS kept_place FROM placed WHERE is_kept AND NOT remapped GROUP BY group_id
), apart AS (
    SELECT p.*, CASE WHEN content > 1 THEN tell END AS pixels, CASE WHEN scattered AND place IS DISTINCT FROM kept_place THEN place END AS elsewhere
    FROM placed p LEFT JOIN kept USING (group_id) LEFT JOIN tells USING (group_id, content) WHERE remapped
)
SELECT source, location, group_id, class, new_uid('sop', sop_uid, concat_ws('|', pixels, elsewhere)) AS new_sop_uid
FROM apart WHERE pixels IS NOT NULL OR elsewhere IS NOT NULL;
CREATE TEMP TABLE own AS
WITH touched AS (
    SELECT source, location FROM told_apart UNION SELECT source, location FROM approved
    UNION SELECT source, location FROM owned JOIN owners USING (study_uid, owner) WHERE new_study_uid IS NOT NULL
    UNION SELECT source, location FROM instances SEMI JOIN united ON united.study_uid = StudyInstanceUID
), kept_changes AS (
    SELECT i.StudyInstanceUID AS study_uid, min(a.study_uid) AS new_study_uid, min(a.study_rule) AS rule
    FROM instances i SEMI JOIN united ON united.kept_study = i.StudyInstanceUID JOIN approved a USING (source, location)
    WHERE a.of_study GROUP BY ALL
), clashing AS (
    -- one SOP Instance UID with both persons: who leaves the study takes a new one along
    SELECT study_uid, sop_uid FROM owned ANTI JOIN (
        SELECT source, member AS location FROM duplicates WHERE level = 'instance' AND disposition = 'drop-copy') d USING (source, location)
    GROUP BY study_uid, sop_uid HAVING count(DISTINCT owner) > 1
), facts AS (
    SELECT i.source, i.location, i.StudyInstanceUID AS study_uid, i.SeriesInstanceUID AS series_uid, i.SOPInstanceUID AS sop_uid,
        t.new_sop_uid AS apart_sop_uid, t.group_id AS apart_group, t.class AS apart_class, o.owner,
        w.new_study_uid AS parted_study_uid, w.group_id AS parted_group, h.group_id AS united_group,
        h.study_uid IS NOT NULL AND (NOT h.by_person OR k.owner IS NOT NULL) AS joins,
        coalesce(k.new_study_uid, c.new_study_uid, h.kept_study) AS kept_study_uid,
        CASE WHEN k.new_study_uid IS NOT NULL THEN k.group_id WHEN c.rule IS NOT NULL THEN concat(c.rule, chr(10), h.kept_study) END AS kept_unit,
        x.sop_uid IS NOT NULL AND w.new_study_uid IS NOT NULL AS clashes, a.* EXCLUDE (source, location, study_uid, series_uid, sop_uid),
        a.study_uid AS changed_study_uid, a.series_uid AS changed_series_uid, a.sop_uid AS changed_sop_uid
    FROM instances i SEMI JOIN touched USING (source, location)
        LEFT JOIN told_apart t ON t.source = i.source AND t.location = i.location
        LEFT JOIN owned o ON o.source = i.source AND o.location = i.location
        LEFT JOIN owners w ON w.study_uid = o.study_uid AND w.owner = o.owner
        LEFT JOIN united h ON h.study_uid = i.StudyInstanceUID
        LEFT JOIN owners k ON k.study_uid = h.kept_study AND k.owner = o.owner
        LEFT JOIN kept_changes c ON c.study_uid = h.kept_study
        LEFT JOIN clashing x ON x.study_uid = i.StudyInstanceUID AND x.sop_uid = i.SOPInstanceUID
        LEFT JOIN approved a ON a.source = i.source AND a.location = i.location
), named AS (
    SELECT *, coalesce(apart_sop_uid, CASE WHEN of_sop THEN coalesce(changed_sop_uid, '') ELSE sop_uid END) AS plain_sop_uid,
        concat(chr(10), study_uid) AS of_this_study
    FROM facts
)
SELECT source, location, study_uid, series_uid, sop_uid, of_study, of_series, of_sop, study_rule, series_rule, sop_rule,
    CASE WHEN joins THEN kept_study_uid WHEN parted_study_uid IS NOT NULL THEN parted_study_uid
         WHEN of_study THEN coalesce(changed_study_uid, '') ELSE study_uid END AS new_study_uid,
    CASE WHEN parted_study_uid IS NOT NULL THEN new_uid('series', series_uid, concat_ws('|', study_uid, owner))
         WHEN of_series THEN coalesce(changed_series_uid, '') ELSE series_uid END AS new_series_uid,
    CASE WHEN clashes THEN new_uid('sop', plain_sop_uid, owner) ELSE plain_sop_uid END AS new_sop_uid,
    CASE WHEN joins THEN united_group WHEN parted_study_uid IS NOT NULL THEN parted_group ELSE study_rule END AS study_cause,
    CASE WHEN joins THEN 'h' WHEN parted_study_uid IS NOT NULL THEN 'g' ELSE '' END AS study_class,
    coalesce(CASE WHEN parted_study_uid IS NOT NULL THEN parted_group END, series_rule) AS series_cause,
    CASE WHEN parted_study_uid IS NOT NULL THEN 'g' ELSE '' END AS series_class,
    CASE WHEN apart_group IS NOT NULL THEN apart_group WHEN clashes THEN parted_group ELSE sop_rule END AS sop_cause,
    CASE WHEN apart_group IS NOT NULL THEN apart_class WHEN clashes THEN 'g' ELSE '' END AS sop_class,
    [x FOR x IN CASE WHEN joins THEN [united_group, kept_unit] WHEN parted_study_uid IS NOT NULL THEN [parted_group]
        ELSE [study_rule || of_this_study] END IF x IS NOT NULL] AS study_units,
    [x FOR x IN [CASE WHEN parted_study_uid IS NOT NULL THEN parted_group ELSE series_rule || of_this_study END] IF x IS NOT NULL] AS series_units,
    [x FOR x IN [apart_group, CASE WHEN clashes THEN parted_group END,
        CASE WHEN apart_group IS NULL THEN sop_rule || of_this_study END] IF x IS NOT NULL] AS sop_units
FROM named;
-- Copies that stay behind: what points to them is to point to the copy that goes. Only those matter whose kept copy is
-- called otherwise; copies of one series are called alike.
CREATE TEMP TABLE dropped AS
WITH drops AS (
    SELECT source, member AS location, group_id, class, kept_source, kept_location FROM duplicates
    WHERE level = 'instance' AND disposition = 'drop-copy' AND kept_location IS NOT NULL
        AND (kept_source <> source OR kept_location <> member)
    QUALIFY row_number() OVER (PARTITION BY source, member ORDER BY class IN ('e', 'h', 'j'), class, group_id) = 1
), elsewhere AS (
    FROM drops WHERE class IN ('e', 'h', 'j')
    UNION
    FROM drops SEMI JOIN (SELECT DISTINCT group_id FROM duplicates WHERE class = 'f') f USING (group_id)
    UNION
    FROM drops SEMI JOIN told_apart USING (group_id)
), changed AS (
    SELECT source AS kept_source, location AS kept_location FROM own UNION SELECT source, location FROM elsewhere
), relevant AS (
    FROM elsewhere UNION FROM drops SEMI JOIN changed USING (kept_source, kept_location)
), walked AS (
    -- a kept copy may itself be the copy of another one
    SELECT a.source, a.location, a.group_id, coalesce(c.kept_source, b.kept_source, a.kept_source) AS kept_source,
        coalesce(c.kept_location, b.kept_location, a.kept_location) AS kept_location
    FROM relevant a LEFT JOIN relevant b ON b.source = a.kept_source AND b.location = a.kept_location
        LEFT JOIN relevant c ON c.source = b.kept_source AND c.location = b.kept_location
)
SELECT w.source, w.location, i.StudyInstanceUID AS study_uid, i.SeriesInstanceUID AS series_uid, i.SOPInstanceUID AS sop_uid,
    w.kept_source, w.kept_location, coalesce(o.new_study_uid, k.StudyInstanceUID) AS new_study_uid,
    coalesce(o.new_series_uid, k.SeriesInstanceUID) AS new_series_uid, coalesce(o.new_sop_uid, k.SOPInstanceUID) AS new_sop_uid,
    list_concat([w.group_id], coalesce(o.study_units, [])) AS study_units, list_concat([w.group_id], coalesce(o.series_units, [])) AS series_units,
    list_concat([w.group_id], coalesce(o.sop_units, [])) AS sop_units
FROM walked w JOIN instances i ON i.source = w.source AND i.location = w.location
    JOIN instances k ON k.source = w.kept_source AND k.location = w.kept_location
    LEFT JOIN own o ON o.source = w.kept_source AND o.location = w.kept_location;
CREATE TEMP TABLE identities AS
WITH either AS (
    SELECT source, location, study_uid, series_uid, sop_uid, new_study_uid, new_series_uid, new_sop_uid, study_units, series_units, sop_units
    FROM own ANTI JOIN dropped USING (source, location)
    UNION ALL BY NAME
    SELECT * EXCLUDE (kept_source, kept_location) FROM dropped
)
SELECT *, list_distinct(flatten([study_units, series_units, sop_units])) AS units FROM either
WHERE new_study_uid IS DISTINCT FROM study_uid OR new_series_uid IS DISTINCT FROM series_uid OR new_sop_uid IS DISTINCT FROM sop_uid

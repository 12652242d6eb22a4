-- Classes a to d against the kept copy, and f. `told_attributes` (source, location, attributes, opened) is what reading
-- both files told where the catalog sees no difference: keywords that differ.
CREATE TEMP TABLE classified AS
WITH told AS (
    SELECT p.*, coalesce(d.differing, []) AS catalogued, coalesce(t.attributes, []) AS further,
        NOT coalesce(t.opened, true) AS unread
    FROM copy_pairs p LEFT JOIN differing d USING (source, location) LEFT JOIN told_attributes t USING (source, location)
)
SELECT *, list_sort(list_distinct(list_concat(catalogued, further))) AS differs,
    CASE WHEN same_object THEN 'a' WHEN NOT same_content OR unread THEN 'd'
         WHEN same_attributes AND len(further) = 0 THEN 'b' ELSE 'c' END AS class
FROM told;
CREATE TEMP TABLE instance_rows AS
WITH evidence AS (
    SELECT sop_uid, class, source, location, kept_source, kept_location, content, differs, why,
        CASE class
        WHEN 'a' THEN 'same bytes'
        WHEN 'b' THEN concat(CASE form WHEN 'none' THEN '' ELSE 'same pixels, ' END, 'same attributes; differs: ',
            CASE WHEN kept_syntax IS DISTINCT FROM syntax THEN concat('transfer syntax ', coalesce(kept_syntax, 'none'), ' / ', coalesce(syntax, 'none'))
                 ELSE 'file meta or encoding' END)
        WHEN 'c' THEN concat(CASE form WHEN 'none' THEN 'no pixels; ' ELSE 'same pixels; ' END, 'differs: ', array_to_string(differs, ', '),
            '; newer by ' || ['Instance Coercion DateTime', 'Original Attributes', 'content time', 'acquisition time', 'time of the file'][
                list_position(list_transform(ages, lambda s: s <> 0), true)]
                || CASE WHEN list_filter(ages, lambda s: s <> 0)[1] < 0 THEN ': this one' ELSE ': the kept one' END,
            CASE WHEN more <> 0 THEN concat('; attributes with a value: ', abs(more), CASE WHEN more > 0 THEN ' more here' ELSE ' more in the kept one' END) END)
        ELSE concat(
            CASE WHEN unread OR problem = 'closed' THEN 'contents could not be opened and compared'
                 WHEN problem IS NOT NULL AND NOT same_content THEN 'contents could not be decoded and compared'
                 WHEN form = 'none' AND kept_form = 'none' THEN 'other content (document, waveform or the like)'
                 WHEN form = 'lossy' AND kept_form = 'lossy' THEN 'other pixels as stored; lossy, not comparable by decoding'
                 WHEN 'lossy' IN (form, kept_form) AND 'none' NOT IN (form, kept_form) THEN 'one is lossy, not comparable by decoding'
                 ELSE 'other pixels' END,
            CASE WHEN NOT same_attributes THEN concat('; differs: ', array_to_string(differs, ', '))
                 WHEN same_header THEN '; same attributes' ELSE '; same attributes in the catalog' END)
        END AS evidence
    FROM classified
), kept AS (
    SELECT sop_uid, class, kept_source AS source, kept_location AS location, kept_source, kept_location, 1 AS content,
        []::VARCHAR[] AS differs, arg_min(why, (source, location)) AS why,
        concat('the copy ', count(*), ' other', CASE WHEN count(*) > 1 THEN 's are' ELSE ' is' END, ' compared with') AS evidence
    FROM classified GROUP BY sop_uid, class, kept_source, kept_location
), scattered AS (
    SELECT o.sop_uid, 'f' AS class, o.source, o.location, k.source AS kept_source, k.location AS kept_location, n.content,
        coalesce(d.differs, []) AS differs, coalesce(d.why, 'location') AS why,
        concat('one SOP Instance UID in ', g.places, ' series of ', g.studies, CASE g.studies WHEN 1 THEN ' study' ELSE ' studies' END) AS evidence
    FROM ordered o JOIN copy_groups g USING (sop_uid) JOIN ordered k ON k.sop_uid = o.sop_uid AND k.number = 1
        JOIN numbered n ON n.source = o.source AND n.location = o.location
        LEFT JOIN classified d ON d.source = o.source AND d.location = o.location
    WHERE g.places > 1
)
SELECT g.group_id, r.class, 'instance' AS level, r.source, r.location AS member, r.sop_uid, o.study_uid, r.content, r.differs,
    r.evidence, r.why, r.kept_source, r.kept_location,
    -- what goes under one UID of its own when contents or places are told apart: series and content
    sha256(concat_ws('|', coalesce(o.study_uid, ''), coalesce(o.series_uid, ''), o.content_key)) AS slot,
    concat_ws('|', coalesce(o.study_uid, ''), coalesce(o.series_uid, '')) AS place, o.digest_object, o.number
FROM (FROM evidence UNION ALL BY NAME FROM kept UNION ALL BY NAME FROM scattered) r
    JOIN copy_groups g USING (sop_uid) JOIN ordered o ON o.source = r.source AND o.location = r.location

-- Which study an order or report of a feed belongs to: `feed_link_rows`.
-- Accession numbers: those of two known issuers are different ones; two settled persons are never joined by one.
CREATE TEMP TABLE feed_by_accession AS
WITH said AS (
    SELECT t.feed, t.kind, t.id, t.person_id, t.settled, k.accession_key, k.space FROM feed_told t
    JOIN keyed_numbers k ON k.writer = t.feed AND k.issuer = t.issuer AND k.accession = t.accession WHERE k.accession_key IS NOT NULL
), grounds AS (
    SELECT accession_key, count(DISTINCT person_id) AS persons,
        count(DISTINCT study_uid) FILTER (person_id IS NULL) AS strangers
    FROM number_bearers SEMI JOIN said USING (accession_key) GROUP BY accession_key
), held AS (
    SELECT accession_key, space, ground, study_uid, person_id, settled FROM number_bearers SEMI JOIN said USING (accession_key) GROUP BY ALL
), compared AS (
    SELECT s.feed, s.kind, s.id, h.study_uid, s.space = h.space AND s.space <> '' AS same_issuer,
        s.space <> h.space AND s.space <> '' AND h.space <> '' AS other_issuer,
        coalesce(s.person_id = h.person_id, false) AS same_person,
        coalesce(s.person_id <> h.person_id AND s.settled AND h.settled AND q.person IS NULL, false) AS other_person,
        -- nobody else has the number: one person, or one study of nobody known
        g.persons + g.strangers <= 1 AS alone, b.accession_key IS NOT NULL AS on_two
    FROM said s JOIN held h ON h.accession_key = s.accession_key JOIN grounds g ON g.accession_key = s.accession_key
        LEFT JOIN numbers_on_two b ON b.ground = h.ground AND b.accession_key = h.accession_key
        LEFT JOIN persons_asked q ON q.person = s.person_id AND q.other = h.person_id
)
SELECT feed, kind, id, study_uid, bool_or(same_issuer) AS same_issuer, bool_and(other_person) AS other_person, bool_or(alone) AS alone,
    bool_or(NOT other_person AND NOT other_issuer AND (same_person OR same_issuer AND NOT on_two OR alone)) AS linked,
    bool_and(other_issuer AND NOT same_person) AS foreign_issuer
FROM compared GROUP BY feed, kind, id, study_uid;
CREATE TEMP TABLE feed_direct AS
SELECT t.feed, t.kind, t.id, s.study_uid, 'study-uid' AS how FROM feed_told t JOIN whole_studies s USING (study_uid)
UNION ALL
SELECT feed, kind, id, study_uid, 'accession' FROM feed_by_accession WHERE linked;
-- What names one study, and by its number several, belongs to all of them.
CREATE TEMP TABLE feed_straight AS
SELECT feed, kind, id, study_uid, max(how) AS how FROM feed_direct GROUP BY feed, kind, id, study_uid;
-- A report without study of its own goes where its order went, and the other way round: by the numbers of one feed.
CREATE TEMP TABLE feed_by_order AS
WITH numbered AS (
    SELECT feed, kind, id, person_id, settled, 'filler ' || filler AS number FROM feed_told WHERE filler IS NOT NULL
    UNION ALL
    SELECT feed, kind, id, person_id, settled, 'placer ' || placer FROM feed_told WHERE placer IS NOT NULL
), lost AS (
    SELECT n.* FROM numbered n ANTI JOIN feed_straight USING (feed, kind, id)
), found AS (
    SELECT n.feed, n.kind, n.number, n.person_id, n.settled, d.study_uid FROM numbered n JOIN feed_straight d USING (feed, kind, id)
    SEMI JOIN lost l ON l.feed = n.feed AND l.number = n.number
)
SELECT DISTINCT l.feed, l.kind, l.id, f.study_uid FROM lost l JOIN found f ON f.feed = l.feed AND f.number = l.number
    LEFT JOIN persons_asked q ON q.person = l.person_id AND q.other = f.person_id
WHERE l.kind <> f.kind AND NOT coalesce(l.person_id <> f.person_id AND l.settled AND f.settled AND q.person IS NULL, false);
CREATE TEMP TABLE feed_sure AS
FROM feed_straight
UNION ALL
SELECT feed, kind, id, study_uid, 'order' FROM feed_by_order;
-- What nothing joins is suggested where the person was examined about that day, in that modality or under that name. Studies
-- that have their own order or report are nobody else's, nor are those with another number of the same issuer: more than one
-- sign is no slip of the hand.
CREATE TEMP TABLE feed_near AS
WITH lost AS (
    SELECT t.*, k.accession_key, nullif(k.space, '') AS space FROM feed_told t
    LEFT JOIN keyed_numbers k ON k.writer = t.feed AND k.issuer = t.issuer AND k.accession = t.accession ANTI JOIN feed_sure USING (feed, kind, id) WHERE t.person_id IS NOT NULL AND t.day IS NOT NULL AND t.status <> 'cancelled'
), numbered AS (
    SELECT study_uid, list(DISTINCT {'space': space, 'key': accession_key}) AS numbers FROM number_bearers GROUP BY study_uid
), likely AS (
    SELECT l.feed, l.kind, l.id, s.study_uid, abs(l.day - s.day) AS days, l.modality, l.description, s.modalities, nullif(s.description, '') AS told_as
    FROM lost l JOIN whose_studies p USING (person_id) JOIN whole_studies s ON s.study_uid = p.study_uid
        LEFT JOIN numbered n ON n.study_uid = s.study_uid ANTI JOIN feed_sure d ON d.study_uid = s.study_uid AND d.kind = l.kind
    WHERE s.pictured AND NOT coalesce(list_contains(list_transform(n.numbers, lambda x: x.space), l.space)
        AND len(list_filter(n.numbers, lambda x: x.space = l.space AND damerau_levenshtein(x.key, l.accession_key) <= 1)) = 0, false) AND CASE WHEN l.kind = 'order' THEN abs(l.day - s.day) <= order_days()
        ELSE l.day - s.day BETWEEN 0 AND report_days() END
)
SELECT feed, kind, id, study_uid FROM likely
WHERE CASE WHEN modality IS NOT NULL THEN list_contains(modalities, modality)
    WHEN description IS NOT NULL THEN contains(told_as, description) OR contains(description, told_as)
        OR jaro_winkler_similarity(description, told_as) >= 0.9 ELSE days = 0 END
QUALIFY days = min(days) OVER (PARTITION BY feed, kind, id);
CREATE TEMP TABLE feed_suggested AS
-- one number under two issuers, and one person; or nobody knows which of several
SELECT feed, kind, id, study_uid, 'accession' AS how FROM feed_by_accession ANTI JOIN feed_sure USING (feed, kind, id)
WHERE NOT other_person AND NOT foreign_issuer
UNION ALL
SELECT n.feed, n.kind, n.id, n.study_uid, 'patient-and-day' FROM feed_near n
    ANTI JOIN (SELECT feed, kind, id FROM feed_by_accession WHERE NOT other_person AND NOT foreign_issuer) USING (feed, kind, id);
CREATE TEMP TABLE feed_link_rows AS
WITH ways AS (
    SELECT *, 'linked' AS state FROM feed_sure
    UNION ALL
    SELECT *, 'suggested' FROM feed_suggested
), owned AS (
    SELECT t.feed, t.kind, t.id, t.person_id, t.settled, w.study_uid, w.how, coalesce(w.state, 'none') AS state
    FROM feed_told t LEFT JOIN ways w USING (feed, kind, id)
)
SELECT o.feed, o.kind, o.id, o.study_uid, o.how, o.state, any_value(o.person_id) AS person_id,
    CASE WHEN bool_or(o.person_id = p.person_id) THEN true
         WHEN bool_and(o.person_id <> p.person_id AND o.settled AND p.settled AND q.person IS NULL) THEN false END AS same_patient
FROM owned o LEFT JOIN whose_studies p ON p.study_uid = o.study_uid
    LEFT JOIN persons_asked q ON q.person = o.person_id AND q.other = p.person_id
GROUP BY o.feed, o.kind, o.id, o.study_uid, o.how, o.state

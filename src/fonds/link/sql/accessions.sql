-- One key for all spellings of an accession number. `number_wordings` is every spelling of every archive and feed with who wrote it.
CREATE TEMP TABLE number_wordings AS
SELECT source AS writer, issuer, accession, study_uid, person_id, settled, day, false AS of_feed FROM carried_numbers
UNION ALL
SELECT feed, issuer, accession, NULL, person_id, settled, day, true FROM feed_told WHERE accession IS NOT NULL;
-- A spelling's form: what is declared before or behind it goes, then blanks, case, separators and the zeros numbers begin with.
CREATE TEMP TABLE number_spellings AS
SELECT writer, issuer, accession, one_issuer(issuer) AS space, accession_form(accession) AS plain,
    accession_form(bare_accession(writer, accession)) AS form, bare_accession(writer, accession) <> upper(trim(accession)) AS stripped
FROM (SELECT DISTINCT writer, issuer, accession FROM number_wordings);
-- A prefix nobody declared: letters, or some digits with a separator. It counts when numbers without it, as others or the
-- same archive write them, meet the same person within few days: many times, and seldom another person.
CREATE TEMP TABLE prefixed_numbers AS
SELECT writer, issuer, accession, space, regexp_extract(form, '^(\p{L}+|[0-9]{1,3}-)[0-9]', 1) AS prefix,
    regexp_extract(form, '^(?:\p{L}+|[0-9]{1,3}-)([0-9].*)$', 1) AS rest
FROM number_spellings WHERE regexp_matches(form, '^(\p{L}+|[0-9]{1,3}-)[0-9].{2,}$');
CREATE TEMP TABLE prefix_meetings AS
WITH others AS (
    SELECT DISTINCT s.form, s.space, w.person_id, w.settled, w.day
    FROM number_spellings s SEMI JOIN (SELECT DISTINCT rest FROM prefixed_numbers) r ON r.rest = s.form
        JOIN number_wordings w ON w.writer = s.writer AND w.issuer = s.issuer AND w.accession = s.accession WHERE w.person_id IS NOT NULL
), own AS (
    SELECT DISTINCT p.writer, p.issuer, p.prefix, p.rest, p.space, w.person_id, w.settled, w.day
    FROM prefixed_numbers p SEMI JOIN (SELECT DISTINCT form FROM number_spellings) s ON s.form = p.rest
        JOIN number_wordings w ON w.writer = p.writer AND w.issuer = p.issuer AND w.accession = p.accession WHERE w.person_id IS NOT NULL
)
SELECT o.writer, o.issuer, o.prefix, o.rest, o.person_id, bool_or(o.person_id = t.person_id AND abs(o.day - t.day) <= learn_days()) AS same,
    bool_or(o.person_id <> t.person_id AND o.settled AND t.settled AND q.person IS NULL) AS other
FROM own o JOIN others t ON t.form = o.rest LEFT JOIN persons_asked q ON q.person = o.person_id AND q.other = t.person_id
WHERE o.space = t.space OR o.space = '' OR t.space = '' GROUP BY ALL;
CREATE TEMP TABLE learned_prefixes AS
SELECT writer, issuer, prefix FROM prefix_meetings GROUP BY ALL
HAVING count(DISTINCT person_id) FILTER (same) >= learn_meets()
    AND count(*) FILTER (same) >= learn_share() * count(*) FILTER (same OR other);
CREATE TEMP TABLE number_forms AS
SELECT s.* EXCLUDE (form), CASE WHEN l.prefix IS NOT NULL THEN p.rest ELSE s.form END AS form,
    s.stripped OR l.prefix IS NOT NULL AS unprefixed
FROM number_spellings s LEFT JOIN prefixed_numbers p USING (writer, issuer, accession)
    LEFT JOIN learned_prefixes l ON l.writer = s.writer AND l.issuer = s.issuer AND l.prefix = p.prefix;
-- 2021-00123 and 202100123: the same digits, and a person who has both, make one number of them.
CREATE TEMP TABLE joined_forms AS
WITH digits AS (
    SELECT regexp_replace(form_written, '[^\p{L}\p{N}]', '', 'g') AS digits, form, person_id
    FROM (SELECT f.form, upper(CASE WHEN f.unprefixed THEN f.form ELSE f.accession END) AS form_written, w.person_id
          FROM number_forms f JOIN number_wordings w USING (writer, issuer, accession) WHERE w.person_id IS NOT NULL)
    GROUP BY ALL
), twofold AS (
    FROM digits SEMI JOIN (SELECT digits FROM digits GROUP BY digits HAVING count(DISTINCT form) > 1) USING (digits)
)
SELECT form, min(least_form) AS into_form FROM (
    SELECT form, min(form) OVER (PARTITION BY digits, person_id) AS least_form FROM twofold) GROUP BY form;
CREATE TEMP TABLE keyed_numbers AS
WITH crowds AS (
    SELECT coalesce(j.into_form, f.form) AS form, count(DISTINCT coalesce(w.person_id, w.study_uid)) AS persons
    FROM number_forms f JOIN number_wordings w USING (writer, issuer, accession) LEFT JOIN joined_forms j ON j.form = f.form WHERE NOT w.of_feed GROUP BY 1
)
SELECT f.writer, f.issuer, f.space, f.accession, f.unprefixed,
    CASE WHEN f.plain IN (SELECT accession_form(word) FROM placeholder_words) OR c.form IS NULL AND coalesce(f.form, '0') = '0' OR f.form = '0'
            OR c.persons > crowd() OR c.persons > 2 AND length(f.form) >= 3 AND replace(f.form, left(f.form, 1), '') = ''
        THEN NULL ELSE coalesce(j.into_form, f.form) END AS accession_key
FROM number_forms f LEFT JOIN joined_forms j ON j.form = f.form LEFT JOIN crowds c ON c.form = coalesce(j.into_form, f.form);
-- Who carries which number in the archives. Where no issuer is known, an archive's numbers are its own.
CREATE TEMP TABLE number_bearers AS
SELECT c.*, k.accession_key, k.space, CASE WHEN k.space = '' THEN '@' || c.source ELSE k.space END AS ground
FROM carried_numbers c JOIN keyed_numbers k ON k.writer = c.source AND k.issuer = c.issuer AND k.accession = c.accession
WHERE k.accession_key IS NOT NULL;
-- What is wrong with a number. Of settled persons those are different ones of whom nobody asks whether they are one.
CREATE TEMP TABLE numbers_on_two AS
WITH holders AS (
    SELECT DISTINCT ground, accession_key, person_id FROM number_bearers WHERE settled
    QUALIFY count(*) OVER (PARTITION BY ground, accession_key) > 1
), couples AS (
    SELECT a.ground, a.accession_key, a.person_id AS person, b.person_id AS other
    FROM holders a JOIN holders b USING (ground, accession_key)
)
SELECT DISTINCT ground, accession_key FROM couples ANTI JOIN persons_asked USING (person, other) WHERE person <> other;
CREATE TEMP TABLE colliding_numbers AS
WITH held AS (
    SELECT DISTINCT upper(trim(accession)) AS written, ground, person_id FROM number_bearers WHERE settled
), several AS (
    SELECT written FROM held GROUP BY written
    HAVING count(DISTINCT ground) > 1 AND count(DISTINCT person_id) > 1
        -- somebody has it in one place only: it is not the same persons in each
        AND count(*) < count(DISTINCT ground) * count(DISTINCT person_id)
), couples AS (
    SELECT a.written, a.ground, b.ground AS other_ground, a.person_id AS person, b.person_id AS other
    FROM held a SEMI JOIN several USING (written) JOIN held b USING (written)
)
SELECT DISTINCT written FROM couples ANTI JOIN persons_asked USING (person, other) WHERE person <> other AND ground <> other_ground;
CREATE TEMP TABLE numbers_on_several AS
SELECT ground, accession_key FROM number_bearers GROUP BY ALL HAVING count(DISTINCT study_uid) > 1;
CREATE TEMP TABLE accession_rows AS
WITH counted AS (
    SELECT writer, issuer, accession, count(DISTINCT study_uid) AS studies, count(DISTINCT person_id) AS persons
    FROM number_wordings GROUP BY ALL
)
SELECT k.writer AS source, k.issuer, k.accession, k.accession_key,
    CASE WHEN k.accession_key IS NULL THEN 'placeholder' WHEN k.unprefixed THEN 'prefix'
         WHEN k.accession_key = k.accession THEN 'as-written' ELSE 'padding' END AS how,
    c.studies, c.persons,
    CASE WHEN c.studies = 0 THEN NULL WHEN t.accession_key IS NOT NULL THEN 'two-patients'
         WHEN l.written IS NOT NULL THEN 'site-collision' WHEN v.accession_key IS NOT NULL THEN 'several-studies' END AS problem
FROM keyed_numbers k JOIN counted c USING (writer, issuer, accession)
    LEFT JOIN numbers_on_two t ON t.accession_key = k.accession_key AND t.ground = CASE WHEN k.space = '' THEN '@' || k.writer ELSE k.space END
    LEFT JOIN numbers_on_several v ON v.accession_key = k.accession_key AND v.ground = CASE WHEN k.space = '' THEN '@' || k.writer ELSE k.space END
    LEFT JOIN colliding_numbers l ON l.written = upper(trim(k.accession))

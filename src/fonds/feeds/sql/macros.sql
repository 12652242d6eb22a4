-- How other systems write names, identifiers and times, and how DICOM does. Texts are never NULL here.
-- A component of a PN value: its delimiters (PS3.5 6.2.1) and control characters are blanks.
CREATE MACRO pn_part(t) AS CASE WHEN regexp_matches(t, '[\^=\\\x00-\x1f\x7f]|\s\s|^\s|\s$')
    THEN trim(regexp_replace(t, '[\^=\\\x00-\x1f\x7f\s]+', ' ', 'g')) ELSE coalesce(t, '') END;
CREATE MACRO pn(family, given, middle, prefix, suffix) AS rtrim(concat_ws('^', pn_part(family), pn_part(given),
    pn_part(middle), pn_part(prefix), pn_part(suffix)), '^');
-- A name told without a representation has that of its script: ideographs and Hangul, kana alone, or letters.
CREATE MACRO script(t) AS CASE WHEN length(t) = strlen(t) THEN 'ABC'
    WHEN regexp_matches(t, '[\x{3400}-\x{9FFF}\x{F900}-\x{FAFF}\x{AC00}-\x{D7AF}\x{20000}-\x{323AF}]') THEN 'IDE'
    WHEN regexp_matches(t, '[\x{3040}-\x{30FF}\x{FF66}-\x{FF9F}]') THEN 'SYL' ELSE 'ABC' END;
-- Names by their use: the official one first; from 10 on those that a person had before. NULL: not a name to go by.
CREATE MACRO use_rank(u) AS CASE u WHEN 'official' THEN 1 WHEN 'usual' THEN 2 WHEN '' THEN 3 WHEN 'temp' THEN 4
    WHEN 'nickname' THEN 5 WHEN 'maiden' THEN 10 WHEN 'old' THEN 11 END;
CREATE MACRO ranked(names) AS list_sort(list_transform(list_filter(names, lambda n: n.pn <> '' AND use_rank(n.use) IS NOT NULL),
    lambda n, i: {'rank': use_rank(n.use), 'place': i, 'rep': n.rep, 'pn': n.pn}));
CREATE MACRO pn_joined(alphabetic, ideographic, phonetic) AS rtrim(concat_ws('=', coalesce(alphabetic, ''),
    coalesce(ideographic, ''), coalesce(phonetic, '')), '=');
CREATE MACRO now_called(names, r) AS list_filter(names, lambda n: n.rep = r AND n.rank < 10)[1].pn;
CREATE MACRO once_called(names, r) AS list_filter(names, lambda n: n.rep = r AND n.rank >= 10)[1].pn;
-- Both take `ranked` names.
CREATE MACRO name_of(names) AS pn_joined(now_called(names, 'ABC'), now_called(names, 'IDE'), now_called(names, 'SYL'));
CREATE MACRO birth_name_of(names) AS pn_joined(once_called(names, 'ABC'), once_called(names, 'IDE'), once_called(names, 'SYL'));

-- HL7 escape sequences (v2.9 2.7): between two backslashes stands a code; formatting goes, a lone backslash stays.
CREATE MACRO hl7_parts(p) AS array_to_string(list_transform(p, lambda x, i: CASE WHEN i % 2 = 1 THEN x
    WHEN i = len(p) THEN '\' || x ELSE CASE x WHEN 'F' THEN '|' WHEN 'S' THEN '^' WHEN 'T' THEN '&' WHEN 'R' THEN '~'
    WHEN 'E' THEN '\' ELSE '' END END), '');
CREATE MACRO hl7(t) AS trim(CASE WHEN contains(t, '\') THEN hl7_parts(string_split(t, '\')) ELSE t END);
CREATE MACRO component(c, i) AS coalesce(c[i], '');
CREATE MACRO sub(t, i) AS split_part(t, '&', i);
-- XPN: family name (FN, its first part whole) ^ given ^ further given ^ suffix ^ prefix ^ degree ^ type ^ representation.
CREATE MACRO xpn_text(c) AS pn(hl7(sub(component(c, 1), 1)), hl7(component(c, 2)), hl7(component(c, 3)),
    hl7(component(c, 5)), hl7(component(c, 4)) || ' ' || hl7(component(c, 6)));
CREATE MACRO xpn_one(c) AS {
    'use': CASE upper(trim(component(c, 7))) WHEN 'L' THEN 'official' WHEN '' THEN 'usual' WHEN 'D' THEN 'usual'
        WHEN 'M' THEN 'maiden' WHEN 'B' THEN 'maiden' WHEN 'BAD' THEN 'old' WHEN 'S' THEN 'anonymous'
        WHEN 'P' THEN 'anonymous' WHEN 'N' THEN 'nickname' WHEN 'A' THEN 'nickname' ELSE 'temp' END,
    'rep': CASE upper(trim(component(c, 8))) WHEN 'A' THEN 'ABC' WHEN 'I' THEN 'IDE' WHEN 'P' THEN 'SYL'
        ELSE script(component(c, 1) || component(c, 2)) END,
    'pn': xpn_text(c)};
CREATE MACRO xpn(t) AS ranked(list_transform(string_split(t, '~'), lambda r: xpn_one(string_split(r, '^'))));
-- CX: ID ^ check digit ^ scheme ^ assigning authority (HD: name space & universal ID) ^ type ^ …
CREATE MACRO cx_parts(t) AS list_transform(list_transform(string_split(t, '~'), lambda r: string_split(r, '^')), lambda c: {
    'id': hl7(component(c, 1)), 'space': hl7(sub(component(c, 4), 1)), 'universal': hl7(sub(component(c, 4), 2)),
    'type': upper(trim(component(c, 5)))});
-- An issuer goes by its name space, else by its universal ID; by whichever the mapping names.
CREATE MACRO authority(space, universal) AS CASE WHEN universal <> '' AND (space = '' OR renamed(universal) <> universal)
    THEN renamed(universal) ELSE renamed(space) END;
CREATE MACRO cx(t) AS list_transform(list_filter(cx_parts(t), lambda x: x.id NOT IN ('', '""')), lambda x: {'id': x.id,
    'issuer': authority(x.space, x.universal),
    'system': x.space, 'type': x.type, 'use': ''});
-- XTN: number ^ use ^ equipment ^ e-mail ^ country ^ area ^ number … ^ unformatted (12).
CREATE MACRO xtn_one(c) AS CASE WHEN component(c, 3) IN ('Internet', 'X.400') THEN ''
    ELSE hl7(coalesce(nullif(component(c, 1), ''), nullif(component(c, 12), ''),
        component(c, 5) || component(c, 6) || component(c, 7))) END;
CREATE MACRO xtn(t) AS coalesce(list_filter(list_transform(string_split(t, '~'), lambda r: xtn_one(string_split(r, '^'))),
    lambda x: x <> '')[1], '');

-- Which of a patient's identifiers names the row: the feed's own issuer, then the kind; not an old or a national one.
CREATE MACRO is_national(x) AS coalesce(national_word(x.type) OR national_word(x.system) OR national_word(x.issuer), false)
    OR (length(x.type) = 5 AND starts_with(x.type, 'NN'));
CREATE MACRO id_ranks(ids) AS list_transform(ids, lambda x: CASE WHEN x.use = 'first' THEN -1
    ELSE 100 * is_national(x)::INTEGER + 10 * (x.use = 'old')::INTEGER
    + CASE WHEN x.issuer = own_issuer() THEN 0 WHEN x.type = 'MR' THEN 1 WHEN x.type = 'PI' THEN 2 ELSE 3 END END);
CREATE MACRO first_of(ranks) AS list_position(ranks, list_min(ranks));
CREATE MACRO national_of(ids) AS coalesce(list_filter(ids, lambda x: is_national(x))[1].id, '');
CREATE MACRO other_ids_of(ids, place) AS list_transform(list_filter(ids, lambda x, i: i <> place AND NOT is_national(x)),
    lambda x: {'id': x.id, 'issuer': issuer_or_own(x.issuer), 'type': nullif(x.type, '')});
CREATE MACRO issuer_or_own(t) AS coalesce(nullif(t, ''), own_issuer());

-- A moment as the mapping says, or as HL7 (YYYYMMDDHHMMSS.SSSS+ZZZZ, cut anywhere) or ISO 8601 write it; UTC where it tells its zone.
CREATE MACRO digits(t) AS rpad(regexp_extract(t, '^\d+'), 14, '00000101000000'[least(length(regexp_extract(t, '^\d+')), 13) + 1:]);
CREATE MACRO hl7_iso(t) AS format('{}-{}-{} {}:{}:{}{}', digits(t)[1:4], digits(t)[5:6], digits(t)[7:8], digits(t)[9:10],
    digits(t)[11:12], digits(t)[13:14], regexp_extract(t, '^\d+(.*)$', 1));
CREATE MACRO iso(t) AS CASE WHEN regexp_full_match(t, '(\d{4}|\d{6}|\d{8}|\d{10}|\d{12}|\d{14})(\.\d+)?([+-]\d{4})?') THEN hl7_iso(t)
    ELSE regexp_replace(replace(t, 'T', ' '), '^(\d{4}-\d{2}-\d{2} \d{2}:\d{2})(Z|[+-]\d{2}:?\d{2})?$', '\1:00\2') END;
CREATE MACRO moment(t) AS TRY_CAST(iso(t) AS TIMESTAMPTZ) AT TIME ZONE 'UTC';
CREATE MACRO told_moment(t, moment_of) AS strftime(moment_of, '%Y-%m-%dT%H:%M:%S')
    || CASE WHEN regexp_matches(t, '\d{2}(\.\d+)?(Z|[+-]\d{2}:?\d{2})$') AND length(t) > 10 THEN 'Z' ELSE '' END;
CREATE MACRO moment_here(t) AS coalesce(own_moment(t), moment(t));
-- Identifiers of a FHIR resource as `id_ranks` and the others take them; the type is its code of HL7 table 0203, else the first.
CREATE MACRO fhir_ids(found) AS coalesce(list_filter(list_transform(found, lambda i: {
    'id': trim(coalesce(i.value, '')), 'issuer': renamed(trim(coalesce(i.system, ''))), 'system': trim(coalesce(i.system, '')),
    'type': upper(coalesce(list_filter(i.type.coding, lambda c: ends_with(c.system, 'v2-0203'))[1].code, i.type.coding[1].code, '')),
    'use': coalesce(i.use, '')}), lambda i: i.id <> ''), []);

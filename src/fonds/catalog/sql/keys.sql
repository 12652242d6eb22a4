-- Spellings made alike, so that values which mean the same are equal: keys to look records up by, never shown or written.
CREATE OR REPLACE MACRO plain_id(x) AS nullif(regexp_replace(regexp_replace(
    upper(x), '(^|[^0-9])0+', '\1', 'g'), '[^\p{L}\p{N}]', '', 'g'), '');
CREATE OR REPLACE MACRO plain_words(x) AS
    trim(regexp_replace(upper(strip_accents(x)), '[^\p{L}\p{N}]+', ' ', 'g'));
CREATE OR REPLACE MACRO plain_name(x) AS nullif(plain_words(split_part(x, '=', 1)), '');
CREATE OR REPLACE MACRO family_name(x) AS nullif(plain_words(regexp_extract(split_part(x, '=', 1), '^[^\^,]*')), '');
CREATE OR REPLACE MACRO given_name(x) AS
    nullif(plain_words(regexp_extract(split_part(x, '=', 1), '^[^\^,]*[\^,]([^\^,]*)', 1)), '');
CREATE OR REPLACE MACRO name_pair(x) AS CASE WHEN family_name(x) <> given_name(x)
    THEN least(family_name(x), given_name(x)) || '^' || greatest(family_name(x), given_name(x)) END;

"""Named tests about people and examinations: names, words of a description, ages; and what other archives say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from fonds.catalog.store import literal
from fonds.project.expressions import Template

# Objects made after the examination, from its images or about them; they say nothing of when or how it was done
DERIVED = (
    *("SR", "KO", "PR", "SEG", "REG", "FID", "RWV", "DOC", "PLAN", "M3D", "SMR", "TEXTUREMAP", "STAIN", "ANN"),
    *("RTSTRUCT", "RTPLAN", "RTDOSE", "RTRECORD", "RTIMAGE", "HC", "OT", "SC"),
)
STAND_INS = ("UNKNOWN", "UNBEKANNT", "NONE", "N/A", "NA", "TEST", "ANONYMOUS", "ANONYM", "DUMMY", "XXX", "OTHER")

# Courtesy titles and degrees that stand before a family or given name instead of in the prefix component (PS3.5 6.2.1)
_TITLES = (
    r"(?i)(^|\^)\s*(dr|prof|dipl|ing|med|herrn?|frau|mr|mrs|ms|mme|mlle|monsieur|madame|miss|sir|sig|sra|ddr)\b\.?[ ]"
)
# UTF-8 read as Latin-1 or Windows-1252; code page 850 and Windows-1252 read as Latin-1; a character that was lost; an
# escape sequence that wasn't understood; two scripts in one word
_GARBLED = (
    r"[Â-Å][\x{80}-\x{BF}‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ€]|[\x{80}-\x{9F}]|\x{FFFD}|\pL[?¿]\pL|\x{1B}|\$[B@)(]"
    r"|\p{Latin}[\p{Cyrillic}\p{Greek}\p{Hebrew}\p{Arabic}]|[\p{Cyrillic}\p{Greek}\p{Hebrew}\p{Arabic}]\p{Latin}"
)
_WOMEN = (
    r"(?i)\b(uter(us|ine)\b|ovar|vagin|obstet|geburtsh|pregnan|schwanger|gravid|f(o|ö|oe)?et(al|us)\b|endometri|placent"
    r"|plazent|hysterosal|hsg\b)"
)
_MEN = r"(?i)\b(prostat|testi(s|c|kel)|hoden|scrot|skrot|peni(s|le)\b|samenblase|seminal ves)"

# A description that begins with the name of a modality, and the modalities of a study that it then may hold
_SAID: tuple[tuple[str, tuple[str, ...]], ...] = (
    (r"(cta?|computertomogra\pL*|computed tomogra\pL*)", ("CT", "PT", "NM")),
    (r"(mra?|mrt|mri|mrcp|kernspin\pL*|magnetresonanz\pL*|magnetic resonance)", ("MR", "PT")),
    (r"(us|sono\pL*|ultras(ound|chall\pL*)|echo\pL*|tte|tee)", ("US", "IVUS")),
    (r"(xr|x-?ray|r(ö|oe)|r(ö|oe)ntgen\pL*)", ("CR", "DX", "RG", "RF", "XA", "PX", "IO", "MG")),
    (r"(mg|mammogra\pL*)", ("MG", "CR", "DX", "US", "MR")),
    (r"(pet)", ("PT", "CT", "MR")),
    (r"(spect|s[cz]inti\pL*|nm)", ("NM", "CT", "PT")),
)
_BEGINS = r"(?i)^[^\pL]*{}([^\pL]|$)"
_DECIDABLE = ("CR", "CT", "DX", "IVUS", "MG", "MR", "NM", "PT", "RF", "US", "XA")


def among(values: Iterable[str]) -> str:
    """The list as SQL writes it behind IN."""
    return "(" + ", ".join(literal(value) for value in sorted(values)) + ")"


def people_tests() -> Mapping[str, Template]:
    """The named tests, in the order the documentation lists them."""
    said = " ".join(
        f"WHEN regexp_matches(description, {literal(_BEGINS.format(words))}) THEN modality IN {among(terms)}"
        for words, terms in _SAID
    )
    years = "try_cast(left(age, 3) AS DOUBLE)"
    return {
        "fits": Template(("x", "pattern"), "regexp_full_match(x, pattern)", "the whole of it matches an RE2 pattern"),
        "is_stand_in": Template(
            ("x",),
            f"upper(trim(x)) IN {among(STAND_INS)} OR regexp_full_match(trim(x), '[^\\pL\\pN]+') "
            "OR (length(trim(x)) >= 3 AND replace(trim(x), left(trim(x), 1), '') = '') OR trim(x) = '0'",
            "a word for 'unknown', nothing but signs, or one character repeated",
        ),
        "is_no_name": Template(
            ("name",),
            "regexp_matches(name, '[^\\s^=]') AND (is_stand_in(name) OR is_garbled(name) OR has_title(name) "
            "OR contains(name, ',') OR NOT regexp_matches(name, '\\pL') "
            "OR (NOT contains(name, '^') AND contains(trim(name), ' ')))",
            "a person's name that isn't family and given name parted by carets, or stands for nobody",
        ),
        "has_title": Template(
            ("name",), f"regexp_matches(name, {literal(_TITLES)})", "a family or given name that begins with a title"
        ),
        "is_garbled": Template(
            ("text",),
            f"regexp_matches(text, {literal(_GARBLED)})",
            "text that was read in another character set than it was written in",
        ),
        "about_women": Template(
            ("text",), f"regexp_matches(text, {literal(_WOMEN)})", "words for an examination of women only"
        ),
        "about_men": Template(
            ("text",), f"regexp_matches(text, {literal(_MEN)})", "words for an examination of men only"
        ),
        "is_derived": Template(
            ("modality",), f"modality IN {among(DERIVED)}", "made from images or about them, after the examination"
        ),
        "names_modality": Template(
            ("description", "modality"),
            f"CASE WHEN description IS NULL OR modality NOT IN {among(_DECIDABLE)} THEN NULL {said} END",
            "whether the modality goes with the one the description begins with; NULL when that can't be told",
        ),
        "age_years": Template(
            ("age",),
            f"CASE WHEN NOT regexp_full_match(age, '[0-9]{{3}}[DWMY]') THEN NULL WHEN ends_with(age, 'Y') THEN {years} "
            f"WHEN ends_with(age, 'M') THEN {years} / 12 WHEN ends_with(age, 'W') THEN {years} / 52.18 "
            f"ELSE {years} / 365.25 END",
            "years of an age string such as 045Y (PS3.5 6.2); NULL when it is none",
        ),
    }


ACROSS_EXTRA = {
    "copies_elsewhere": "how many other archives hold an object of the same SOP Instance UID",
    "copies_alike": "whether all copies of the object have the same digests; NULL when they can't be compared",
    "copies_pixels_differ": "whether pixel data of copies differs that is stored in the same way; NULL as above",
    "copies_header_differs": "whether the rest of copies differs that is stored in the same way; NULL as above",
    "copies_filed_otherwise": "whether a copy stands under another study or series UID; NULL when there is none",
    "pixels_known_as": "another SOP Instance UID under which an archive holds the same pixel data; NULL without",
    "pixels_compared": "whether the pixel data has a digest and is no thumbnail",
    "instances_elsewhere": "objects of the study that only other archives hold; NULL where no other holds the study",
    "archives_differ": "attributes in which archives that hold the study disagree, joined by spaces; NULL as above",
    "id_elsewhere": "whether another archive has somebody else, by name and birth date, under this ID and issuer; "
    "NULL when none has the ID, or nothing tells the issuer",
    "accession_elsewhere": "whether another archive has this accession number, of the same issuer, on another patient; "
    "NULL when none has it, or nothing tells the issuer",
}
PATIENT_EXTRA = {
    "id_spelled_otherwise": "whether the source has the same person under this ID written otherwise (case, spaces, "
    "zeros in front, separators)",
    "has_other_id": "whether the source has a record of the same issuer, name, birth date and sex under another ID",
    "name_swapped": "whether a record of the same ID, or of the same birth date, has family and given name the "
    "other way round",
    "birth_dates_differ": "whether records of the same issuer, ID and name have different valid birth dates",
    "sexes_differ": "whether records of the same issuer, ID and name have different sexes",
}
STUDY_EXTRA = {
    "accession_studies": "studies of one patient with the same accession number and modality; NULL when it is one",
    "same_day_studies": "studies of one patient with the same date, description and modality; NULL when it is one or "
    "each has an accession number of its own",
    "index_counts": "counts in which an index says otherwise than the files, such as '12 files, 14 told', or ''; "
    "NULL as for index_differs",
    "index_lacks": "objects, series or studies an index doesn't tell of; NULL as for index_differs",
}

"""Takes PN values apart (PS3.5 6.2.1): representations, family and given names, and what in them is no name."""

from __future__ import annotations

import polars as pl

from fonds.match import names
from fonds.match.definition import Names

IDEOGRAPH = r"[\x{3400}-\x{9FFF}\x{F900}-\x{FAFF}]"
CJK = r"[\x{3040}-\x{30FF}\x{3400}-\x{9FFF}\x{AC00}-\x{D7AF}\x{F900}-\x{FAFF}]"
_EMPTY = pl.lit("")


def components(values: pl.Series, folder: names.Folder) -> pl.DataFrame:
    """One row a distinct PN value of `values` (column PatientName), NULL as ''.

    Columns: shown_family and shown_given as written (given and middle names joined by `^`); family_text and given_text
    to fold, '' where there is none; native (ideographic or phonetic writing without blanks); unordered (which word is
    the family name isn't told); twin (1 to 4, of a newborn); family_why, given_why and name_why (what is no name, and
    of what kind); doubtful (kind of a family name that may be one); newborn.
    """
    column = values.fill_null("").unique().sort().alias("PatientName").to_frame()
    split = column.with_columns(_group(0).alias("g0"), _group(1).alias("g1"), _group(2).alias("g2"))
    has_native = pl.col("g0").str.contains(CJK)
    # ideographs are read in several ways: where the sound is told, it is that name's Latin form
    sounded = pl.when(pl.col("g0").str.contains(IDEOGRAPH) & (pl.col("g2") != "")).then(pl.col("g2"))
    main = pl.coalesce(sounded, *(pl.when(pl.col(g) != "").then(pl.col(g)) for g in ("g0", "g2", "g1")), _EMPTY)
    native = pl.when(pl.col("g1") != "").then(pl.col("g1")).when(has_native).then(pl.col("g0"))
    written = native.str.normalize("NFKC").str.replace_all(r"[\s\^]", "")
    split = split.with_columns(main.alias("main"), pl.when(written != "").then(written).alias("native"))
    caret = pl.col("main").str.contains("^", literal=True)
    comma = pl.col("main").str.contains(",", literal=True)
    split = split.with_columns(_ordered(folder.table).alias("main"), (~caret & ~comma).alias("unordered"))
    parts = pl.col("main").str.split("^")
    split = split.with_columns(
        parts.list.get(0, null_on_oob=True).fill_null("").str.strip_chars().alias("shown_family"),
        parts.list.slice(1, 2).list.join("^").str.strip_chars(" ^").alias("shown_given"),
    )
    split = split.with_columns(
        names.capitals(split["shown_family"]).alias("F"), names.capitals(split["shown_given"]).alias("G")
    )
    return _named(_born(split, folder), folder.table).select(
        "PatientName", "shown_family", "shown_given", "family_text", "given_text", "native", "unordered", "twin",
        "family_why", "given_why", "name_why", "doubtful", "newborn",
    )  # fmt: skip


def _group(number: int) -> pl.Expr:
    text = pl.col("PatientName").str.split("=").list.get(number, null_on_oob=True).fill_null("")
    # underscores and control characters stand for blanks; a group of carets alone names nobody
    return text.str.replace_all(r"[\p{Cc}\p{Zs}_]+", " ").str.strip_chars(" ").str.strip_chars_end(" ^")


def _ordered(table: Names) -> pl.Expr:
    """Names without carets: 'A, B' is family and given; of several words the first (after titles and particles) is the
    family name."""
    main = pl.col("main")
    comma = main.str.replace(r"^([^,]*),\s*", "${1}^").str.replace(",", " ", literal=True)
    titles = "|".join(f"{word}\\.?" for word in table.titles)
    plain = main.str.replace(rf"^(?i:(?:{titles})\s+)+", "")
    particles = "|".join(word for word in table.particles if len(word) > 1)
    spaced = plain.str.replace(rf"^((?:(?i:{particles})\s+)*\S+)\s+", "${1}^")
    return (
        pl.when(main.str.contains("^", literal=True))
        .then(main)
        .when(main.str.contains(",", literal=True))
        .then(comma)
        .otherwise(spaced)
    )


def _born(split: pl.DataFrame, folder: names.Folder) -> pl.DataFrame:
    """Names of newborns: what is no word for a baby is the family name; a given name it isn't."""
    kinds = folder.table.not_names
    doubtful = _kind(pl.col("F"), kinds.doubtful, whole=True)
    split = split.with_columns(doubtful.alias("doubtful"))
    # Baby and Test are names, too: as a family name, with a given name that is one, they are taken for what they say
    few = split.filter(pl.col("doubtful").is_not_null())["G"]
    known = [
        text for text in few.to_list() if names.key("".join(names.words(text.partition("^")[0])[:1])) in folder.forms
    ]
    split = split.with_columns(
        (~pl.col("unordered") & pl.col("doubtful").is_not_null() & pl.col("G").is_in(known)).alias("spoken")
    )
    joint = pl.when(pl.col("unordered")).then(pl.lit(" ")).otherwise(pl.lit("^"))
    split = split.with_columns((pl.col("F") + joint + pl.col("G")).str.strip_chars(" ^").alias("whole"))
    if not kinds.newborn:
        return split.with_columns(pl.lit(False).alias("newborn"), *_no_text("left", "twin"))
    pattern = "|".join(kinds.newborn)
    split = split.with_columns((pl.col("whole").str.contains(pattern) & ~pl.col("spoken")).alias("newborn"))
    # the words go, and with them what stands alone: the letter or number of a twin
    left = (
        pl.col("whole").str.replace_all(pattern, "^ ").str.replace_all(r"[^A-Z^' -]", " ")
        .str.replace_all(r" +", "  ").str.replace_all(r"(^|[ ^-])[A-Z](?:$|[ ^])", "${1} ")
        .str.replace_all(r" +", " ").str.strip_chars(" ^").str.split("^").list.first().str.strip_chars()
    )  # fmt: skip
    twin = pl.col("whole").str.extract(r"(?:^|[ ^.#-])([A-D1-4])(?:$|[ ^])")
    glued = pl.col("whole").str.extract(r"[A-Z]([1-4])(?:$|[ ^])")
    number = pl.coalesce(twin, glued).replace({"A": "1", "B": "2", "C": "3", "D": "4"})
    babies = split.filter("newborn").select("PatientName", left.alias("left"), number.alias("twin"))
    return split.join(babies, on="PatientName", how="left", maintain_order="left")


def _named(split: pl.DataFrame, table: Names) -> pl.DataFrame:
    """What is left to fold, and why the rest is not."""
    kinds = table.not_names
    family = pl.when("newborn").then("left").otherwise("F")
    split = split.with_columns(family.alias("family_text"), pl.col("G").alias("given_text"))
    unspoken = pl.when(~pl.col("spoken"))
    anywhere = _kind(pl.col("F") + "^" + pl.col("G"), kinds.anywhere, whole=False)
    given = _kind(pl.col("G").str.replace_all("^", " ", literal=True), kinds.component, whole=True)
    split = split.with_columns(
        pl.coalesce(anywhere, unspoken.then(_kind(pl.col("family_text"), kinds.doubtful, whole=True))).alias(
            "name_why"
        ),
        unspoken.then(_kind(pl.col("family_text"), kinds.component, whole=True)).alias("family_why"),
        pl.when("newborn").then(pl.lit("newborn")).otherwise(given).alias("given_why"),
        pl.when("spoken").then("doubtful").alias("doubtful"),
    )
    nobody = pl.col("name_why").is_not_null()
    split = split.with_columns(
        pl.when(nobody | pl.col("family_why").is_not_null()).then(_EMPTY).otherwise("family_text").alias("family_text"),
        pl.when(nobody | pl.col("given_why").is_not_null()).then(_EMPTY).otherwise("given_text").alias("given_text"),
        pl.when(~nobody).then(pl.col("native")).alias("native"),
    )
    empty = (pl.col("family_text") == "") & (pl.col("given_text") == "") & pl.col("native").is_null()
    nothing = pl.coalesce("name_why", "family_why", "given_why", pl.lit("absent"))
    return split.with_columns(pl.when(empty).then(nothing).alias("name_why"))


def _no_text(*columns: str) -> list[pl.Expr]:
    return [pl.lit(None, pl.String).alias(column) for column in columns]


def _kind(text: pl.Expr, kinds: dict[str, tuple[str, ...]], *, whole: bool) -> pl.Expr:
    """The first kind one of whose patterns is found in the text (is all of it); NULL for none."""
    found = []
    for kind, patterns in kinds.items():
        either = "|".join(f"(?:{pattern})" for pattern in patterns)
        found.append(pl.when(text.str.contains(f"^(?:{either})$" if whole else either)).then(pl.lit(kind)))
    return pl.coalesce(*found, pl.lit(None, pl.String))


def any_of(text: pl.Expr, patterns: tuple[str, ...]) -> pl.Expr:
    """True where some pattern is found; never NULL."""
    return pl.any_horizontal(pl.lit(False), *(text.str.contains(pattern) for pattern in patterns)).fill_null(False)

"""Birth dates as evidence: read in their source's order, and taken for no more than they are: a default says nothing,
a day made up from an age or known by its year only says the year."""

from __future__ import annotations

import polars as pl

from fonds.match.definition import Missing

_FIRST, _LAST, _OLDEST = 1850, 2100, 120
"""Years a birth date may lie in, and the age nobody is examined above."""


HEAPED = "heaped on 1 January"


def births(found: pl.DataFrame, missing: Missing, heaped: list[str] | None = None) -> pl.DataFrame:
    """The columns birth_date, birth_year, birth_day and birth_why of records, in their order.

    Reads PatientBirthDate with date_order, last_study, and age as told at aged_at (PatientAge, StudyDate). A whole date
    is YYYYMMDD in birth_date; where only the year can be trusted, birth_year alone is set. `birth_why` says what is not
    known and why: absent, not a date, impossible, default, two-digit year, order unknown, year only, derived from age,
    heaped on 1 January. `heaped` are the sources that have too many of these; they are counted when it is None.
    """
    text = pl.col("PatientBirthDate").fill_null("").str.strip_chars()
    order = pl.when(pl.col("date_order").is_in(["us", "european"])).then(pl.col("date_order"))
    words = ("source", "issuer", "PatientID", "last_study", "aged_at", "age")
    asked = found.select(text.alias("text"), order.fill_null("").alias("order"), *words)
    distinct = _read(asked.select("text", "order").unique())
    read = asked.join(distinct, on=["text", "order"], how="left", maintain_order="left")
    read = read.with_columns(_century().alias("day"))
    day = pl.col("day").str.to_date("%Y%m%d", strict=False)
    last = pl.col("last_study").str.to_date("%Y%m%d", strict=False)
    told = pl.coalesce(
        "why", pl.when(pl.col("short").is_not_null() & pl.col("day").is_null()).then(pl.lit("two-digit year"))
    )
    # nobody is born after the last examination, nor examined at 120
    possible = day.dt.year().is_between(_FIRST, _LAST) & (day <= last).fill_null(True)
    possible &= (last.dt.year() - day.dt.year() <= _OLDEST).fill_null(True)
    told = pl.when(pl.col("day").is_in(list(missing.birth_dates))).then(pl.lit("default")).otherwise(told)
    told = pl.when(told.is_null() & ~possible.fill_null(False)).then(pl.lit("impossible")).otherwise(told)
    read = read.with_columns(told.alias("why"))
    derived = pl.when(_derived()).then(pl.lit("derived from age"))
    first = (pl.col("day").str.slice(4) == "0101").fill_null(False)
    heap = pl.col("source").is_in(_heaped(read, missing) if heaped is None else heaped) & first
    told = pl.coalesce("why", derived, pl.when(heap).then(pl.lit(HEAPED)))
    read = read.with_columns(told.alias("told"))
    whole = pl.when(pl.col("told").is_null()).then(pl.col("day"))
    by_year = pl.col("told").is_in(["derived from age", HEAPED, "order unknown", "year only"])
    year = pl.when(by_year).then(pl.coalesce("year", pl.col("day").str.head(4)))
    return read.select(
        whole.alias("birth_date"),
        pl.coalesce(whole.str.head(4), year).alias("birth_year"),
        whole.str.slice(4).alias("birth_day"),
        pl.col("told").alias("birth_why"),
    )


def _read(texts: pl.DataFrame) -> pl.DataFrame:
    """Distinct (text, order) → day (YYYYMMDD), or short (YYMMDD) where the century is left out, or year and why not."""
    text = pl.col("text")
    parts = texts.with_columns(
        text.str.extract_groups(r"^(?<y>\d{4})[-./ ](?<m>\d{1,2})[-./ ](?<d>\d{1,2})$").alias("big"),
        text.str.extract_groups(r"^(?<a>\d{1,2})(?<mark>[-./ ])(?<b>\d{1,2})[-./ ](?<y>\d{4}|\d{2})$").alias("little"),
        text.str.extract_groups(r"^(?<a>\d{2})(?<b>\d{2})(?<c>\d{2})$").alias("six"),
    )
    a, b = (pl.col("little").struct.field(name).cast(pl.Int64) for name in "ab")
    said = pl.when(pl.col("order") != "").then(pl.col("order"))
    # 13 and above is a day, whatever the source says of itself; dots are written where the day comes first
    only = pl.when((a > 12) & (b <= 12)).then(pl.lit("european")).when((b > 12) & (a <= 12)).then(pl.lit("us"))
    dotted = pl.when((pl.col("little").struct.field("mark") == ".") | (a == b)).then(pl.lit("european"))
    order = pl.coalesce(only, said, dotted)
    monthday = pl.when(order == "us").then(_two(a) + _two(b)).when(order == "european").then(_two(b) + _two(a))
    year = pl.col("little").struct.field("y")
    six = [pl.col("six").struct.field(name) for name in "abc"]
    months = text.str.contains(r"^(?:19|20)\d\d(?:0[1-9]|1[0-2])$") & (pl.col("order") == "")
    packed = (
        pl.when(pl.col("order") == "us").then(six[2] + six[0] + six[1])
        .when(pl.col("order") == "european").then(six[2] + six[1] + six[0])
        .when(six[0].is_not_null() & ~months).then(text)
    )  # fmt: skip
    eight = pl.when(text.str.contains(r"^\d{8}$")).then(text)
    turned = (
        pl.when(pl.col("order") == "us").then(eight.str.slice(4) + eight.str.head(4))
        .when(pl.col("order") == "european").then(eight.str.slice(4) + eight.str.slice(2, 2) + eight.str.head(2))
    )  # fmt: skip
    # a source that writes 09041961: nobody was born in the year 904
    straight = pl.when(eight.str.head(4).cast(pl.Int64).is_between(_FIRST, _LAST) | turned.is_null()).then(eight)
    big = pl.col("big").struct
    day = pl.coalesce(
        straight,
        turned,
        big.field("y") + _two(big.field("m").cast(pl.Int64)) + _two(big.field("d").cast(pl.Int64)),
        pl.when(year.str.len_chars() == 4).then(year + monthday),
    )
    known = pl.coalesce(
        text.str.extract(r"^(\d{4})(?:-?0{2}){0,2}$"),
        text.str.extract(r"^(\d{4})-?(?:0[1-9]|1[0-2])-?00$"),
        pl.when(months).then(text.str.head(4)),
    )
    unordered = pl.col("little").struct.field("a").is_not_null() & monthday.is_null()
    unsure = pl.when(unordered & (year.str.len_chars() == 4)).then(year)
    short = pl.coalesce(pl.when(year.str.len_chars() == 2).then(year + monthday), packed)
    why = (
        pl.when(text == "").then(pl.lit("absent"))
        .when(known.is_not_null()).then(pl.lit("year only"))
        .when(unordered).then(pl.lit("order unknown"))
        .when(day.is_null() & short.is_null()).then(pl.lit("not a date"))
    )  # fmt: skip
    partial = known.is_not_null()
    return parts.select(
        "text",
        "order",
        pl.when(~partial).then(day).alias("day"),
        pl.when(~partial).then(short).alias("short"),
        pl.coalesce(known, unsure).alias("year"),
        why.alias("why"),
    )


def _two(number: pl.Expr) -> pl.Expr:
    return number.cast(pl.String).str.zfill(2)


def _century() -> pl.Expr:
    """The day itself, or of two digits the only year in which the patient was under a hundred at the last study."""
    study = pl.col("last_study").str.head(4).cast(pl.Int64, strict=False)
    century = study - (study - pl.col("short").str.head(2).cast(pl.Int64, strict=False)) % 100
    return pl.coalesce("day", century.cast(pl.String) + pl.col("short").str.slice(2))


def _derived() -> pl.Expr:
    """The age told with the first examination gives the year, and the day is that examination's or 1 January."""
    age = pl.col("age").str.head(3).cast(pl.Int64, strict=False)
    examined = pl.col("aged_at").str.head(4).cast(pl.Int64, strict=False)
    day = pl.col("day").str.slice(4)
    same_year = examined - age == pl.col("day").str.head(4).cast(pl.Int64, strict=False)
    return (same_year & ((day == "0101") | (day == pl.col("aged_at").str.slice(4)))).fill_null(False)


def _heaped(read: pl.DataFrame, missing: Missing) -> list[str]:
    """Sources that have far more birthdays on 1 January than a calendar: each identifier is counted once."""
    people = read.filter(pl.col("why").is_null()).select("source", "issuer", "PatientID", "day").unique()
    counted = people.group_by("source").agg(
        (pl.col("day").str.slice(4) == "0101").sum().alias("firsts"), pl.len().alias("all")
    )
    heap = missing.heaped
    many = counted.filter((pl.col("firsts") >= heap.least) & (pl.col("firsts") >= heap.share * pl.col("all")))
    return many["source"].drop_nulls().to_list()

"""Turns patient records into comparable columns: name groups and components, dates, identifiers, sex."""

from __future__ import annotations

from pathlib import Path

import duckdb
import polars as pl

from fonds.match import names
from fonds.match.definition import Matcher, Names

_SQL = Path(__file__).parent / "sql"


def records(connection: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """Distinct demographics per source, issuer and ID: `record_id` from raw values, everything else as approved.

    Columns: record_id, source, issuer (the source's own when none is given), PatientID, PatientName, PatientBirthName,
    PatientBirthDate, PatientSex, last_study, studies (list of Study UIDs).
    """
    return connection.sql((_SQL / "records.sql").read_text(encoding="utf-8")).pl().sort("record_id")


def prepare(found: pl.DataFrame, matcher: Matcher, table: Names) -> pl.DataFrame:
    """Records with the columns that blocking and comparisons use, in the order of record_id; `n` numbers them."""
    missing = matcher.missing
    found = found.with_columns(pl.lit(None, dtype=pl.String).alias(c) for c in _ADT if c not in found.columns)
    name = pl.col("PatientName").fill_null("").str.strip_chars()
    alias = _any(name.str.to_uppercase(), missing.names)
    split = found.sort("record_id").with_columns(pl.when(alias).then(pl.lit("")).otherwise(name).alias("name"))
    split = split.with_columns(_group(0).alias("g0"), _group(1).alias("g1"), _group(2).alias("g2"))
    main = pl.coalesce(*(pl.when(pl.col(g) != "").then(pl.col(g)) for g in ("g0", "g2", "g1")), pl.lit(""))
    has_cjk = pl.col("g0").str.contains(names.CJK)
    native = pl.when(pl.col("g1") != "").then(pl.col("g1")).when(has_cjk).then(pl.col("g0"))
    split = split.with_columns(main.alias("main"), native.alias("native"))
    split = split.with_columns(pl.col("main").str.contains("^", literal=True).alias("caret"), _ordered().alias("main"))
    parts = pl.col("main").str.split("^")
    split = split.with_columns(
        parts.list.get(0, null_on_oob=True).fill_null("").alias("shown_family"),
        parts.list.slice(1, 2).list.join("^").alias("shown_given"),
        (~pl.col("caret") & ~pl.col("main").str.contains(",", literal=True)).alias("unordered"),
    )
    folder = names.Folder(table)
    families = names.folded(_distinct(split["shown_family"]), folder.family, "shown_family", names.FAMILY)
    givens = names.folded(_distinct(split["shown_given"]), folder.given, "shown_given", names.GIVEN)
    maiden = names.folded(_distinct(split["PatientBirthName"]), folder.family, "PatientBirthName", names.FAMILY)
    maiden = maiden.select("PatientBirthName", pl.col("family_parts").alias("maiden_parts"))
    joined = (
        split.join(families, on="shown_family", how="left")
        .join(givens, on="shown_given", how="left")
        .join(maiden, on="PatientBirthName", how="left")
        .with_columns(_joined("family_parts", "maiden_parts"), pl.col("given_tokens").fill_null([]))
    )
    joined = joined.with_columns(_known(joined), *_others(missing.birth_dates, missing.patient_ids))
    return joined.sort("record_id").with_row_index("n").with_columns(pl.col("n").cast(pl.Int64)).select(
        "n", "record_id", "source", "studies", *dict.fromkeys((*_COLUMNS, "family_parts", "given_tokens")),
        "given_forms", "family_forms", "given_known", "given_spelling", "family_spelling", "unordered",
        "shown_family", "shown_given",
        pl.col("PatientID").alias("shown_patient_id"), pl.col("PatientBirthDate").alias("shown_birth_date"),
        pl.col("PatientSex").alias("shown_sex"),
    )  # fmt: skip


_COLUMNS = (
    *("family", "given", "middle", "native", "birth_date", "sex", "issuer", "patient_id"),
    *("family_code", "given_code", "given_first", "birth_year", "birth_day"),
    *("phone", "street", "postcode", "city", "mother", "national_id"),
)
_ADT = ("phone", "street", "postcode", "city", "mother", "national_id")


_LEADING = "von|vom|van|der|den|de|del|di|da|du|la|le|zu|zum|zur|al|el|ter|ten"


def _any(column: pl.Expr, patterns: tuple[str, ...]) -> pl.Expr:
    """True where some pattern is found; never NULL."""
    return pl.any_horizontal(pl.lit(False), *(column.str.contains(pattern) for pattern in patterns)).fill_null(False)


def _group(number: int) -> pl.Expr:
    text = pl.col("name").str.split("=").list.get(number, null_on_oob=True).fill_null("").str.strip_chars()
    # a group of carets alone names nobody
    return pl.when(text.str.contains(r"^[\^\s]*$")).then(pl.lit("")).otherwise(text)


def _ordered() -> pl.Expr:
    """Names without carets: 'A, B' is family and given; of several words the first (after particles) is the family."""
    main = pl.col("main")
    comma = main.str.replace(r"^([^,]*),\s*", "${1}^").str.replace(",", " ", literal=True)
    spaced = main.str.replace(rf"^((?:(?i:{_LEADING})\s+)*\S+)\s+", "${1}^")
    return (
        pl.when(main.str.contains("^", literal=True))
        .then(main)
        .when(main.str.contains(",", literal=True))
        .then(comma)
        .otherwise(spaced)
    )


def _joined(first: str, second: str) -> pl.Expr:
    empty = pl.lit([], dtype=pl.List(pl.String()))
    return pl.concat_list(pl.col(first).fill_null(empty), pl.col(second).fill_null(empty)).list.unique().list.sort()


def _known(frame: pl.DataFrame) -> pl.Expr:
    """A given name is known when the table has it, or when three families of these records use it."""
    used = frame.filter(pl.col("family").is_not_null()).group_by("given_first").agg(pl.col("family").n_unique())
    common = used.filter(pl.col("family") >= 3)["given_first"].drop_nulls()
    return pl.col("given_known").fill_null(False) | pl.col("given_first").is_in(common.to_list()).fill_null(False)


def _others(defaults: tuple[str, ...], placeholders: tuple[str, ...]) -> list[pl.Expr]:
    text = pl.col("PatientBirthDate").fill_null("").str.strip_chars()
    day = pl.when(text.str.contains(r"^\d{8}$")).then(text).str.to_date("%Y%m%d", strict=False)
    last = pl.col("last_study").str.to_date("%Y%m%d", strict=False)
    # nobody is born after the last examination, nor examined at 130
    possible = (day.dt.year() > 1850) & (day <= last).fill_null(True) & ~text.is_in(list(defaults))
    birth = pl.when(possible).then(text)
    identifier = pl.col("PatientID").fill_null("").str.strip_chars().str.to_uppercase()
    plain = identifier.str.replace_all(r"[^\p{L}\p{N}]", "").str.strip_chars_start("0")
    usable = (plain != "") & ~_any(identifier, placeholders)
    sex = pl.col("PatientSex").fill_null("").str.strip_chars().str.to_uppercase()
    native = pl.col("native").str.normalize("NFKC").str.replace_all(r"[\s\^]", "")
    return [
        birth.alias("birth_date"),
        birth.str.slice(0, 4).alias("birth_year"),
        birth.str.slice(4).alias("birth_day"),
        pl.when(usable).then(plain).alias("patient_id"),
        pl.when(sex.is_in(["M", "F"])).then(sex).alias("sex"),
        pl.when(native != "").then(native).alias("native"),
    ]


def _distinct(column: pl.Series) -> list[str]:
    found: list[str] = column.drop_nulls().unique().sort().to_list()
    return found

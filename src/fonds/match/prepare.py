"""Turns patient records into comparable columns: names, birth dates, IDs, addresses; and says what is missing."""

from __future__ import annotations

from pathlib import Path

import duckdb
import polars as pl

from fonds.catalog.columns import OTHER_IDS
from fonds.match.addresses import COLUMNS, addresses
from fonds.match.components import any_of, components
from fonds.match.dates import HEAPED, births
from fonds.match.definition import COLUMNS as DEFINED
from fonds.match.definition import Matcher, Names
from fonds.match.names import FAMILY, GIVEN, Folder, folded

_SQL = Path(__file__).parent / "sql"


def records(connection: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """Distinct demographics per source, issuer and ID: `record_id` from raw values, everything else as approved.

    Columns: record_id, source, issuer (the source's own when none is given), PatientID, PatientName, PatientBirthName,
    PatientBirthDate, PatientSex, last_study, studies (list of Study UIDs).
    """
    return connection.sql((_SQL / "records.sql").read_text(encoding="utf-8")).pl().sort("record_id")


def prepare(found: pl.DataFrame, matcher: Matcher, names: Names, *, known: pl.DataFrame | None = None) -> pl.DataFrame:
    """Records with the columns that blocking and comparisons use, in the order of record_id; `n` numbers them.

    The result depends on the records and the tables alone, not on their order; with `known` (what `learned` made of an
    earlier result) a row depends on its own record alone. `missing` lists what counts as not known and why;
    `missing_summary` counts it.
    """
    found = _complete(found).sort("record_id")
    folder = Folder(names)
    named = _folded(found, folder)
    heaped = None if known is None else known.filter(pl.col("what") == _HEAPED)["value"].to_list()
    born = births(found, matcher.missing, heaped)
    said = found.drop("PatientName", *COLUMNS).hstack(named).hstack(born).hstack(addresses(found, folder))
    # a family name that may be a placeholder counts only with a real birth date
    nobody = pl.col("doubtful").is_not_null() & pl.col("birth_date").is_null()
    said = said.with_columns(
        pl.coalesce("name_why", pl.when(nobody).then("doubtful")).alias("name_why"),
        *(pl.when(~nobody).then(pl.col(name)).alias(name) for name in _NAMES),
    )
    said = said.with_columns(
        *_lists("family_parts", "given_tokens", "given_forms", "family_forms"), _known(said, known)
    )
    said = said.with_columns(*_identifiers(matcher.missing.patient_ids), *_sex())
    said = said.with_columns(_ids(said), _missing())
    return said.with_row_index("n").with_columns(pl.col("n").cast(pl.Int64)).select(
        "n", "record_id", "origin", "source", "studies", *dict.fromkeys((*DEFINED, "family_parts", "given_tokens")),
        "given_forms", "family_forms", "given_known", "given_spelling", "family_spelling", "unordered", "ids",
        "missing",
        "shown_family", "shown_given", pl.col("PatientID").alias("shown_patient_id"),
        pl.col("PatientBirthDate").alias("shown_birth_date"), pl.col("PatientSex").alias("shown_sex"),
    )  # fmt: skip


def learned(prepared: pl.DataFrame) -> pl.DataFrame:
    """What preparation took from all records together: what (given name that several families use, or source with too
    many birthdays on 1 January) and value. It is kept with the weights, so that a new record changes no other one."""
    given = prepared.filter("given_known").select(pl.lit(_GIVEN).alias("what"), pl.col("given_first").alias("value"))
    heaps = prepared.filter(pl.col("missing").list.contains("birth_date: " + HEAPED))
    heaped = heaps.select(pl.lit(_HEAPED).alias("what"), pl.col("source").alias("value"))
    return pl.concat([given, heaped]).drop_nulls().unique().sort("what", "value")


def missing_summary(prepared: pl.DataFrame) -> pl.DataFrame:
    """What counts as not known: source, what (such as `birth_date: default`), records; most frequent first."""
    said = prepared.select("source", pl.col("missing").alias("what")).explode("what").drop_nulls("what")
    counted = said.group_by("source", "what").agg(pl.len().cast(pl.Int64).alias("records"))
    return counted.sort("source", "records", "what", descending=[False, True, False])


_NAMES = {**FAMILY, **GIVEN, "native": pl.String()}
_FOUND = {
    **dict.fromkeys(("origin", "source", "issuer", "PatientID", "PatientName", "PatientBirthName"), pl.String()),
    **dict.fromkeys(("PatientBirthDate", "PatientSex", *COLUMNS, "last_study", "aged_at", "age"), pl.String()),
    **{"date_order": pl.String(), "other_ids": OTHER_IDS, "studies": pl.List(pl.String())},
}
SEPARATOR = "\x1f"
_GIVEN, _HEAPED = "given name", "heaped source"


def _complete(found: pl.DataFrame) -> pl.DataFrame:
    """All columns of `records`, in their types: what a frame made elsewhere leaves out is not known."""
    absent = [pl.lit(None).alias(name) for name in _FOUND if name not in found.columns]
    typed = found.with_columns(absent).select("record_id", *(pl.col(name).cast(kind) for name, kind in _FOUND.items()))
    return typed.with_columns(
        pl.col("origin").fill_null("archive"), pl.col("studies").fill_null(pl.lit([], pl.List(pl.String())))
    )


def _folded(found: pl.DataFrame, folder: Folder) -> pl.DataFrame:
    """The name columns of records, in their order: distinct values are taken apart and folded once."""
    split = components(found["PatientName"], folder)
    families = folded(split["family_text"], folder.family, "family_text", FAMILY)
    givens = folded(split["given_text"], folder.given, "given_text", GIVEN)
    maiden = folded(found["PatientBirthName"], folder.family, "PatientBirthName", FAMILY)
    split = split.join(families, on="family_text", how="left").join(givens, on="given_text", how="left")
    split = split.with_columns(pl.when("newborn").then("twin").otherwise("middle").alias("middle"))
    maiden = maiden.select("PatientBirthName", pl.col("family_parts").alias("maiden_parts"))
    keys = found.select(pl.col("PatientName").fill_null(""), "PatientBirthName")
    joined = keys.join(split, on="PatientName", how="left", maintain_order="left")
    joined = joined.join(maiden, on="PatientBirthName", how="left", maintain_order="left")
    parts = pl.concat_list(pl.col("family_parts", "maiden_parts").fill_null(pl.lit([], pl.List(pl.String()))))
    both = (
        pl.when(pl.col("maiden_parts").list.len() > 0).then(parts.list.unique().list.sort()).otherwise("family_parts")
    )
    return joined.with_columns(both.alias("family_parts")).select(
        *_NAMES, "unordered", "shown_family", "shown_given", "family_why", "given_why", "name_why", "doubtful"
    )


def _lists(*columns: str) -> list[pl.Expr]:
    return [pl.col(column).fill_null(pl.lit([], pl.List(pl.String()))) for column in columns]


def _known(frame: pl.DataFrame, before: pl.DataFrame | None) -> pl.Expr:
    """A given name is known when the table has it, or when three families of these records use it."""
    used = frame.filter(pl.col("family").is_not_null()).group_by("given_first").agg(pl.col("family").n_unique())
    common = used.filter(pl.col("family") >= 3)["given_first"].drop_nulls()
    if before is not None:
        common = before.filter(pl.col("what") == _GIVEN)["value"]
    return pl.col("given_known").fill_null(False) | pl.col("given_first").is_in(common.to_list()).fill_null(False)


def _bare(identifier: pl.Expr) -> pl.Expr:
    """An ID as it is compared: letters and digits in capitals, zeros in front left out."""
    return identifier.str.to_uppercase().str.replace_all(r"[^\p{L}\p{N}]", "").str.strip_chars_start("0")


def _issuer(issuer: pl.Expr) -> pl.Expr:
    return issuer.str.to_uppercase().str.replace_all(r"[^\p{L}\p{N}.]", "")


def comparable(issuer: pl.Expr, identifier: pl.Expr) -> pl.Expr:
    """An identifier as the column `ids` writes it; NULL where nothing is left of one of its parts."""
    parts = [pl.when(part != "").then(part) for part in (_issuer(issuer), _bare(identifier))]
    return parts[0] + SEPARATOR + parts[1]


def _identifiers(placeholders: tuple[str, ...]) -> list[pl.Expr]:
    identifier = pl.col("PatientID").fill_null("").str.strip_chars().str.to_uppercase()
    bare = _bare(identifier)
    shared = any_of(identifier, placeholders) | (bare == "")
    why = pl.when(identifier == "").then(pl.lit("absent")).when(shared).then(pl.lit("placeholder"))
    return [pl.when(~shared).then(bare).alias("patient_id"), why.alias("id_why"), _issuer(pl.col("issuer"))]


def _sex() -> list[pl.Expr]:
    sex = pl.col("PatientSex").fill_null("").str.strip_chars().str.to_uppercase()
    why = pl.when(sex == "").then(pl.lit("absent")).when(~sex.is_in(["M", "F"])).then(pl.lit("unknown"))
    return [pl.when(sex.is_in(["M", "F"])).then(sex).alias("sex"), why.alias("sex_why")]


def _ids(frame: pl.DataFrame) -> pl.Series:
    """Own and other identifiers of each record, `issuer` SEPARATOR `patient_id`; an ID nobody issued is none."""
    own = _listed(pl.col("issuer"), pl.col("patient_id"))
    item = pl.col("other_ids").struct
    other = frame.select("record_id", "other_ids").filter(pl.col("other_ids").list.len() > 0).explode("other_ids")
    other = other.select("record_id", _listed(_issuer(item.field("issuer")), _bare(item.field("id"))).alias("others"))
    others = other.explode("others").drop_nulls().group_by("record_id").agg("others")
    found = frame.select("record_id", own.alias("ids")).join(others, on="record_id", how="left", maintain_order="left")
    both = pl.concat_list("ids", "others").list.unique().list.sort()
    return found.select(pl.when(pl.col("others").is_null()).then("ids").otherwise(both).alias("ids")).to_series()


def _listed(issuer: pl.Expr, identifier: pl.Expr) -> pl.Expr:
    known = (identifier != "").fill_null(False) & (issuer != "").fill_null(False)
    return (
        pl.when(known).then(pl.concat_list(issuer + SEPARATOR + identifier)).otherwise(pl.lit([], pl.List(pl.String)))
    )


def _missing() -> pl.Expr:
    """What counts as not known and why, as a list of text."""
    perhaps = pl.when(pl.col("name_why").is_null()).then("doubtful")
    part = pl.when(pl.col("name_why").is_null())
    said = (
        pl.lit("name: ") + pl.col("name_why"),
        pl.lit("name: perhaps ") + perhaps,
        pl.lit("family name: ") + part.then("family_why"),
        pl.lit("given name: ") + part.then("given_why"),
        pl.lit("birth_date: ") + pl.col("birth_why"),
        pl.lit("patient_id: ") + pl.col("id_why"),
        pl.lit("sex: ") + pl.col("sex_why"),
    )
    return pl.concat_list(*said).list.drop_nulls().alias("missing")

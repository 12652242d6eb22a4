"""HL7 and FHIR texts as DICOM has them: what holds for any name, identifier and time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import duckdb
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fonds.feeds.definition import Feed, FeedMapping
from fonds.feeds.macros import define
from fonds.project.settings import FeedSettings

ESCAPES = {"|": "\\F\\", "^": "\\S\\", "&": "\\T\\", "~": "\\R\\", "\\": "\\E\\"}
SIGNS = st.characters(min_codepoint=32, exclude_categories=["Cs", "Cc", "Zs", "Zl", "Zp", "Cf"])
DELIMITERS = str.maketrans("^=\\", "   ")
TEXTS = st.text(st.one_of(SIGNS, st.sampled_from("|^&~\\=")), max_size=12)

few = settings(max_examples=10, deadline=None)


@pytest.fixture(scope="module")
def sql() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(":memory:") as connection:
        connection.execute("SET TimeZone = 'UTC'")
        define(
            connection, Feed("f", FeedSettings(format="csv", path="x", issuer="MPI"), FeedMapping(), None), partial=True
        )
        yield connection


def values(sql: duckdb.DuckDBPyConnection, expressions: str, texts: list[str]) -> list[tuple[Any, ...]]:
    """The expressions over `t` for each text: many at once, because a query of macros takes longer than its rows."""
    sql.register(
        "given_texts",
        pl.DataFrame({"number": range(len(texts)), "t": texts}, schema={"number": pl.Int64, "t": pl.String}).to_arrow(),
    )
    inner = ")" if "(SELECT" in expressions else ""
    return sql.execute(f"SELECT {expressions} FROM given_texts{inner} ORDER BY number").fetchall()


def escaped(text: str) -> str:
    return "".join(ESCAPES.get(sign, sign) for sign in text)


@few
@given(texts=st.lists(TEXTS, max_size=50))
def test_escapes_are_undone(sql: duckdb.DuckDBPyConnection, texts: list[str]) -> None:
    assert [text for (text,) in values(sql, "hl7(t)", [escaped(text) for text in texts])] == texts


@few
@given(texts=st.lists(st.text(st.sampled_from("ab\\FSTREH.X0 "), max_size=16), max_size=50))
def test_text_with_stray_backslashes_is_read_to_its_end(sql: duckdb.DuckDBPyConnection, texts: list[str]) -> None:
    for text, (read,) in zip(texts, values(sql, "hl7(t)", texts), strict=True):
        plain = text.strip()
        assert len(read) <= len(plain)
        assert ("\\" in plain) or read == plain


@few
@given(names=st.lists(st.lists(TEXTS, min_size=6, max_size=6), max_size=20))
def test_name_components_change_places_and_never_their_number(
    sql: duckdb.DuckDBPyConnection, names: list[list[str]]
) -> None:
    found = values(sql, "list_transform(xpn(t), lambda n: n.pn)", ["^".join(map(escaped, name)) for name in names])
    for name, (listed,) in zip(names, found, strict=True):
        family, given_name, further, suffix, prefix, degree = (one.translate(DELIMITERS) for one in name)
        parts = (family, given_name, further, prefix, f"{suffix} {degree}")
        wanted = "^".join(" ".join(part.split()) for part in parts).rstrip("^")
        assert listed == ([wanted] if wanted else [])


@few
@given(
    patients=st.lists(
        st.lists(
            st.tuples(TEXTS, st.one_of(TEXTS, st.just("MPI")), st.sampled_from(["MR", "PI", "", "SS"])), max_size=4
        ),
        max_size=20,
    )
)
def test_identifiers_keep_their_issuers(
    sql: duckdb.DuckDBPyConnection, patients: list[list[tuple[str, str, str]]]
) -> None:
    written = [
        "~".join(f"{escaped(number)}^^^{escaped(issuer)}&1.2&ISO^{kind}" for number, issuer, kind in patient)
        for patient in patients
    ]
    listed = "list_transform(ids, lambda x: [x.id, x.issuer, x.type])"
    found = values(sql, f"{listed}, ids[first_of(id_ranks(ids))].issuer FROM (SELECT number, cx(t) AS ids", written)
    for patient, (ids, chosen) in zip(patients, found, strict=True):
        wanted = [[number, issuer or "1.2", kind] for number, issuer, kind in patient if number not in ("", '""')]
        assert ids == wanted
        if any(issuer == "MPI" and kind != "SS" for _, issuer, kind in wanted):
            assert chosen == "MPI"
        assert (chosen is None) == (not wanted)


@few
@given(
    moments=st.lists(
        st.tuples(
            st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1)),  # noqa: DTZ001 - the zone comes beside it
            st.integers(-14 * 60, 14 * 60),
        ),
        max_size=20,
    )
)
def test_a_moment_is_one_however_it_is_written(
    sql: duckdb.DuckDBPyConnection, moments: list[tuple[datetime, int]]
) -> None:
    there = [at.replace(microsecond=0, tzinfo=timezone(timedelta(minutes=minutes))) for at, minutes in moments]
    hl7 = [at.strftime("%Y%m%d%H%M%S.25%z") for at in there]
    fhir = [
        at.strftime("%Y-%m-%dT%H:%M:%S.25") + f"{text[-5:-2]}:{text[-2:]}" for at, text in zip(there, hl7, strict=True)
    ]
    wanted = [at.astimezone(UTC).replace(tzinfo=None) + timedelta(milliseconds=250) for at in there]
    assert [at for (at,) in values(sql, "moment_here(t)", hl7)] == wanted
    read = values(sql, "moment_here(t), told_moment(t, moment_here(t))", fhir)
    assert read == [(at, at.strftime("%Y-%m-%dT%H:%M:%SZ")) for at in wanted]
    minutes = [at.strftime("%Y%m%d%H%M") for at in there]
    assert [at for (at,) in values(sql, "moment_here(t)", minutes)] == [
        at.replace(second=0, tzinfo=None) for at in there
    ]


@few
@given(texts=st.lists(st.text(max_size=24), max_size=50))
def test_no_text_is_an_error(sql: duckdb.DuckDBPyConnection, texts: list[str]) -> None:
    values(
        sql,
        "happened, told_moment(t, happened), birth_day(t), sex(t), name_of(names), birth_name_of(names), "
        "other_ids_of(ids, 1), national_of(ids), xtn(t), given(t), script(t) "
        "FROM (SELECT *, moment_here(t) AS happened, xpn(t) AS names, cx(t) AS ids",
        texts,
    )

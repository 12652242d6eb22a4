"""The SQL that follows from attributes.yaml and the policy: what is compared, and what the kept copy is chosen by."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import duckdb
import polars as pl

from fonds.catalog.schema import attributes, table
from fonds.catalog.store import literal, quote
from fonds.deduplicate.definition import CAREFUL, Policy
from fonds.dicom.decoded import LOSSY_SYNTAXES
from fonds.dicom.framing import BIG_ENDIAN, DEFLATED_SYNTAXES, EXPLICIT, IMPLICIT_SYNTAXES
from fonds.project.settings import Project

# Group 2 describes the file, not the object (PS3.10 section 7.1): another writer's copy differs in it by right. Texts
# are catalogued decoded, whatever character set holds them.
NOT_COMPARED = frozenset(
    {
        "FileMetaInformationVersion",
        "ImplementationClassUID",
        "ImplementationVersionName",
        "MediaStorageSOPClassUID",
        "MediaStorageSOPInstanceUID",
        "PrivateInformationCreatorUID",
        "ReceivingApplicationEntityTitle",
        "SendingApplicationEntityTitle",
        "SourceApplicationEntityTitle",
        "SpecificCharacterSet",
        "TransferSyntaxUID",
    }
)
COERCED = "InstanceCoercionDateTime"
# What tells which of two is newer, the surest first; each with what it is called in the evidence
NEWER = ("coerced", "original_attributes", "content_time", "acquisition_time", "mtime_ns")
# Lower is better. Of several columns the first that differs counts.
RANKS = {
    "complete": ("incomplete",),
    "lossless": ("lossy",),
    "uncompressed": ("compressed",),
    "newer": tuple(f"-{name}" for name in NEWER),
    "older": NEWER,
    "richer": ("-filled",),
    "larger": ("-size",),
    "original": ("named",),
    "source-order": ("position",),
}


def text(name: str, **parts: str) -> str:
    """One of this stage's SQL files, `{part}` in it replaced."""
    found = (Path(__file__).parent / "sql" / f"{name}.sql").read_text(encoding="utf-8")
    for part, value in parts.items():
        found = found.replace(f"{{{part}}}", value)
    return found


def compared(project: Project, policy: Policy) -> list[str]:
    """The columns of `instances` that say what the object says: catalogued keywords but group 2, and nested ones."""
    columns = list(table(project, "instances").columns)
    keywords = attributes(project)
    nested = columns[columns.index(keywords[-1]) + 1 :]
    without = {*NOT_COMPARED, *policy.ignored}
    return [*(str(word) for word in keywords if word not in without), *nested]


def described(project: Project, policy: Policy) -> str:
    """View `described`: `instances` with a hash of what is compared, how much has a value, and what tells its age."""
    told = compared(project, policy)
    filled = " + ".join(f"(nullif({quote(word)}, '') IS NOT NULL)::INT" for word in attributes(project) if word in told)
    coerced = quote(COERCED) if COERCED in attributes(project) else "NULL::VARCHAR"
    return f"""
        CREATE TEMP VIEW described AS
        SELECT *, hash({", ".join(_value("i", word) for word in told)}) AS attributes_hash, {filled} AS filled,
            {coerced} AS coercion
        FROM instances i
    """


def _value(alias: str, name: str) -> str:
    column = f"{alias}.{quote(name)}"
    # RGB as JPEG 2000 holds it (PS3.5 8.2.4)
    return f"replace({column}, 'YBR_RCT', 'RGB')" if name == "PhotometricInterpretation" else column


def differing(project: Project, policy: Policy) -> str:
    """Table `differing` (source, location, differing): for copies that say something else, keywords that differ."""
    tests = ", ".join(
        f"CASE WHEN {_value('a', name)} IS DISTINCT FROM {_value('b', name)} THEN {literal(name)} END"
        for name in compared(project, policy)
    )
    return f"""
        CREATE TEMP TABLE differing AS
        WITH unlike AS (FROM copy_pairs WHERE NOT same_attributes)
        SELECT p.source, p.location, list_sort(list_distinct([{tests}])) AS differing
        FROM unlike p JOIN instances a ON a.source = p.source AND a.location = p.location
            JOIN instances b ON b.source = p.kept_source AND b.location = p.kept_location
    """


def settings(connection: duckdb.DuckDBPyConnection, project: Project, policy: Policy) -> None:
    """Tables `syntaxes` (transfer_syntax, form), `orders` and `defaults` (class, source, …): the policy as rows."""
    forms = {
        **dict.fromkeys((EXPLICIT, *IMPLICIT_SYNTAXES, *DEFLATED_SYNTAXES), "little"),
        BIG_ENDIAN: "big",
        **dict.fromkeys(LOSSY_SYNTAXES, "lossy"),
    }
    _register(connection, "syntaxes", ("transfer_syntax", "form"), forms.items())
    rows = [
        (name, source, *_told(policy, name, source)) for name in "abcdefghij" for source in (None, *project.sources)
    ]
    columns = ("class", "source", "disposition", "possible", "other_persons", "keep")
    _register(connection, "policy", columns, rows)
    _register(connection, "careful", ("disposition", "rank"), [(name, str(n)) for n, name in enumerate(CAREFUL)])


def _told(policy: Policy, name: str, source: str | None) -> tuple[str, str, str, str]:
    told = policy.of(name, source)
    first = told.disposition or "hold"
    return first, told.possible or first, told.other_persons or first, " ".join(told.keep or ("source-order",))


def _register(
    connection: duckdb.DuckDBPyConnection, name: str, columns: tuple[str, ...], rows: Iterable[tuple[str | None, ...]]
) -> None:
    frame = pl.DataFrame(list(rows), schema=dict.fromkeys(columns, pl.String()), orient="row")
    connection.register(name, frame.to_arrow())


def ranking(policy: Policy, project: Project) -> str:
    """SQL of a list of numbers, the lower the better, by the preferences in column `keep`, of columns of RANKS."""
    orders = {_told(policy, name, source)[3] for name in "abcdefj" for source in (None, *project.sources)}
    cases = " ".join(
        f"WHEN {literal(order)} THEN [{', '.join(f'({column})::DOUBLE' for column in _columns(order))}]"
        for order in sorted(orders)
    )
    return f"CASE keep {cases} END"


def reasons(policy: Policy, project: Project) -> str:
    """SQL of the list of preferences that belong to the numbers of `ranking`."""
    orders = {_told(policy, name, source)[3] for name in "abcdefj" for source in (None, *project.sources)}
    cases = " ".join(
        f"WHEN {literal(order)} THEN [{', '.join(literal(name) for name in order.split() for _ in RANKS[name])}]"
        for order in sorted(orders)
    )
    return f"CASE keep {cases} END"


def study_ranking(policy: Policy, project: Project) -> str:
    """SQL of the same for the studies of class h, with columns size (objects), day and position."""
    ranks = {"larger": "-size", "newer": "-day", "older": "day", "source-order": "position"}
    orders = {_told(policy, "h", source)[3] for source in (None, *project.sources)}
    cases = " ".join(
        f"WHEN {literal(order)} THEN [{', '.join(f'({ranks[name]})::DOUBLE' for name in order.split())}]"
        for order in sorted(orders)
    )
    return f"CASE keep {cases} END"


def uid_columns(policy: Policy) -> str:
    """SQL of the UIDs that columns name as those objects had: source, location, sop_uid, original, attribute."""
    words = [name for name in policy.original_uids if name not in ("references", "original-attributes")]
    parts = [
        f"SELECT source, location, SOPInstanceUID AS sop_uid, trim({quote(word)}) AS original, "
        f"{literal(word)} AS attribute FROM instances WHERE trim({quote(word)}) <> trim(SOPInstanceUID) "
        f"AND trim({quote(word)}) <> '' AND trim(SOPInstanceUID) <> ''"
        for word in words
    ]
    nothing = (
        "SELECT source, location, SOPInstanceUID AS sop_uid, '' AS original, '' AS attribute FROM instances WHERE false"
    )
    return " UNION ALL ".join(parts or [nothing])


def _columns(order: str) -> list[str]:
    return [column for name in order.split() for column in RANKS[name]]

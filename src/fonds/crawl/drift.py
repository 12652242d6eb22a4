"""Compares what the files of an archive say with what its index says, into the table `drift`."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path

import duckdb
import polars as pl

from fonds.catalog import schema
from fonds.catalog.store import literal, quote
from fonds.crawl.definition import FILE, PACK, UIDS, Loaded, load_all
from fonds.crawl.replacing import lean
from fonds.dicom.charset import codec
from fonds.dicom.conformance import conforms
from fonds.dicom.elements import vr_of
from fonds.dicom.tags import tag_path
from fonds.operations.runs import StageRun
from fonds.project.settings import ExportSourceSettings, IndexSettings, Project

KINDS = ("differs", "count-differs", "index-disagrees", "only-in-files", "only-in-index")
DEPTH = {"STUDY": 1, "SERIES": 2, "INSTANCE": 3}
_KEYS = ("study_uid", "series_uid", "sop_uid")


def indexed(project: Project) -> dict[str, str]:
    """{index: the source whose files it is the database of}, in the order of fonds.yaml."""
    return {
        name: settings.of
        for name, settings in project.sources.items()
        if isinstance(settings, IndexSettings) and settings.of is not None
    }


def definitions(project: Project) -> list[Path]:
    """What the comparison is defined in, when there is anything to compare."""
    return [project.find(FILE)] if indexed(project) else []


def write(run: StageRun, project: Project) -> None:
    """Put what files and index say differently into `drift`, when anything it depends on changed.

    Set at a time over the catalog: one pass over `instances` and `entries` a level. Counts are rows by kind. Raises
    DefinitionInvalid for mistakes of precedence.yaml.
    """
    _tell_unmapped(run, project)
    pairs = indexed(project)
    if not pairs:
        if run.catalog.read("drift").height:
            run.replace("drift", pl.DataFrame(schema=schema.TABLES["drift"].schema))
        return
    loaded = load_all(project)
    state = project.catalog_dir / "crawl" / "drift.json"
    if _seen(run, project, pairs, loaded) != _last(state):
        run.progress(0, None, "comparisons", "files with index")
        rows = _rows(run, project, pairs, loaded)
        conformed = schema.conform(schema.TABLES["drift"], rows)
        if not conformed.equals(run.catalog.read("drift")):
            run.replace("drift", conformed)
        state.parent.mkdir(parents=True, exist_ok=True)
        aside = state.with_suffix(f".{os.getpid()}")
        aside.write_text(json.dumps({"seen": _seen(run, project, pairs, loaded)}), encoding="utf-8")
        os.replace(aside, state)
    _tell(run)


def _tell(run: StageRun) -> None:
    with run.catalog.connect() as connection:
        kinds = {kind: (rows, studies) for kind, rows, studies in connection.sql(_COUNTS).fetchall()}
    for kind in KINDS:
        run.count(f"drift_{kind.replace('-', '_')}", kinds.get(kind, (0, 0))[0])
    orphans, missing = (kinds.get(kind, (0, 0))[1] for kind in ("only-in-files", "only-in-index"))
    if orphans:
        run.left.append(f"studies with files their index doesn't know: {orphans}; the plan holds them as orphan")
    if missing:
        run.left.append(f"studies of an index whose files aren't all there: {missing}; see drift, kind only-in-index")


def _tell_unmapped(run: StageRun, project: Project) -> None:
    if not any(isinstance(settings, ExportSourceSettings) for settings in project.sources.values()):
        return
    with run.catalog.connect() as connection:
        unmapped = connection.sql(
            "SELECT source, count(*) FROM entries "
            "WHERE origin = 'export' AND regexp_matches(note, 'uid-|not-readable') GROUP BY source ORDER BY source"
        ).fetchall()
    run.left += [
        f"entries of {source} that couldn't be mapped as a whole: {count}; see their note in the table entries"
        for source, count in unmapped
    ]


_COUNTS = "SELECT kind, count(*), count(DISTINCT (source, study_uid)) FROM drift GROUP BY kind"


def _seen(run: StageRun, project: Project, pairs: dict[str, str], loaded: Loaded) -> str:
    versions = run.catalog.versions()
    orders = {name: settings.date_order for name, settings in project.sources.items()}
    tables = [versions.get(name) for name in ("instances", "entries", "drift")]
    material = [list(pairs.items()), orders, tables, loaded.digest, schema.attributes(project)]
    return hashlib.sha256(json.dumps(material).encode()).hexdigest()


def _last(state: Path) -> str | None:
    return str(json.loads(state.read_text(encoding="utf-8")).get("seen")) if state.is_file() else None


def _rows(run: StageRun, project: Project, pairs: dict[str, str], loaded: Loaded) -> pl.DataFrame:
    spilling = project.catalog_dir / "crawl" / "comparing"
    with run.catalog.connect() as connection:
        lean(connection, spilling)
        _pairs(connection, project, pairs)
        verdicts = _verdicts(connection, project, pairs, loaded)
        connection.execute(_TABLES)
        for level, depth in DEPTH.items():
            connection.execute(_TOLD.format(level=literal(level), keys=_entry_keys(depth)))
            # without a word of the index on this level there is nothing to group millions of rows for
            if depth == 1 or connection.sql(f"SELECT 1 FROM told WHERE level = {literal(level)} LIMIT 1").fetchall():
                connection.execute(_FOUND.format(level=literal(level), keys=_file_keys(depth)))
            for statement in _values(level, depth, verdicts.filter(pl.col("level") == level)):
                connection.execute(statement)
        connection.execute((Path(__file__).parent / "sql" / "drift.sql").read_text(encoding="utf-8"))
        rows = connection.sql("FROM drift_rows").pl()
    shutil.rmtree(spilling, ignore_errors=True)
    return _possible(rows).with_columns(
        pl.lit(PACK).alias("pack"),
        pl.lit(loaded.file.version).alias("pack_version"),
        pl.lit(loaded.digest).alias("pack_hash"),
    )


_ENTITY = "level VARCHAR, study_uid VARCHAR, series_uid VARCHAR, sop_uid VARCHAR"
_TABLES = f"""
CREATE TEMP TABLE told_values (index_source VARCHAR, {_ENTITY}, attribute VARCHAR, value VARCHAR);
CREATE TEMP TABLE found_values (source VARCHAR, {_ENTITY}, attribute VARCHAR, value VARCHAR, instances BIGINT);
CREATE TEMP TABLE told (index_source VARCHAR, {_ENTITY}, shell BOOLEAN);
CREATE TEMP TABLE found (source VARCHAR, {_ENTITY}, instances BIGINT)
"""


def _possible(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows; an index's value that no element may hold (too long, several values in one) doesn't win."""
    winning = rows.filter(winner="index").select("attribute", "winning_value").unique()
    utf8 = codec("ISO_IR 192")
    # a loop over distinct corrected values: what a value representation allows is told value by value (PS3.5 6.2)
    refused = [
        (word, value)
        for word, value in winning.iter_rows()
        if "\\" in value or not conforms(vr_of(int(tag_path(word)[1:10].replace(",", ""), 16)), value.encode(), utf8)
    ]
    schema_of = {"attribute": pl.String(), "winning_value": pl.String()}
    impossible = pl.DataFrame(refused, schema=schema_of, orient="row").with_columns(refused=True)
    joined = rows.join(impossible, on=["attribute", "winning_value"], how="left", maintain_order="left")
    no = (pl.col("winner") == "index") & pl.col("refused").fill_null(False)
    texts = {"winner": "none", "needs": "none", "winning_value": None}
    return joined.with_columns(
        pl.when(no).then(pl.lit(text)).otherwise(pl.col(name)).alias(name) for name, text in texts.items()
    ).drop("refused")


# Rows without a Study UID can't be compared; the crawl has told of them
_TOLD = """
INSERT INTO told
SELECT index_source, {level}, {keys}, coalesce(bool_or(contains(note, 'order-shell')
    OR (attributes->>'NumberOfStudyRelatedInstances') = '0'), false)
FROM entries JOIN pairs ON index_source = entries.source
WHERE level = {level} AND coalesce(trim(study_uid), '') <> '' GROUP BY ALL
"""
_FOUND = """
INSERT INTO found
SELECT source, {level}, {keys}, count(*) FROM instances
WHERE source IN (SELECT source FROM pairs) AND coalesce(trim(StudyInstanceUID), '') <> '' GROUP BY ALL
"""


def _entry_keys(depth: int) -> str:
    return ", ".join(
        f"coalesce(trim({key}), '') AS {key}" if place < depth else f"'' AS {key}" for place, key in enumerate(_KEYS)
    )


def _file_keys(depth: int) -> str:
    return ", ".join(
        f"coalesce(trim({word}), '') AS {key}" if place < depth else f"'' AS {key}"
        for place, (word, key) in enumerate(zip(UIDS.values(), _KEYS, strict=True))
    )


def _pairs(connection: duckdb.DuckDBPyConnection, project: Project, pairs: dict[str, str]) -> None:
    orders = {name: settings.date_order for name, settings in project.sources.items()}
    rows = [(index, of, orders[index], orders[of]) for index, of in pairs.items()]
    frame = pl.DataFrame(rows, schema=["index_source", "source", "index_order", "file_order"], orient="row")
    connection.register("given_pairs", frame.to_arrow())
    connection.execute("CREATE TEMP TABLE pairs AS FROM given_pairs")


def _verdicts(
    connection: duckdb.DuckDBPyConnection, project: Project, pairs: dict[str, str], loaded: Loaded
) -> pl.DataFrame:
    """What is compared: an attribute some index tells and the files' catalogue holds, and how; table `verdicts`."""
    catalogued = set(schema.attributes(project)) - set(UIDS.values())
    told = connection.sql(
        "SELECT DISTINCT index_source, level, unnest(json_keys(attributes)) AS attribute "
        "FROM entries JOIN pairs ON index_source = entries.source WHERE level IN ('STUDY', 'SERIES', 'INSTANCE')"
    ).fetchall()
    rows = []
    for index, level, attribute in sorted(told):  # attributes of a few indexes, not rows
        verdict = loaded.of(index, level, attribute)
        if (
            verdict is None
            or (verdict.of or attribute) not in catalogued | set(UIDS.values())
            or attribute in UIDS.values()
        ):
            continue
        row = {"index_source": index, "source": pairs[index], "level": level, "attribute": attribute}
        row |= {"taken": verdict.of or attribute, "rule": f"drift.{verdict.follows or attribute}"}
        row |= verdict.model_dump(include={"compare", "winner", "needs", "reason"})
        more = {"fold": verdict.case, "heeds_empty": verdict.empty == "differs"}
        rows.append(row | more)
    texts = ("index_source", "source", "level", "attribute", "taken", "rule", "compare", "winner", "needs", "reason")
    kinds = {**dict.fromkeys(texts, pl.String()), "fold": pl.String(), "heeds_empty": pl.Boolean()}
    frame = pl.DataFrame(rows, schema=kinds)
    connection.register("given_verdicts", frame.to_arrow())
    connection.execute("CREATE TEMP TABLE verdicts AS FROM given_verdicts")
    return frame


def _values(level: str, depth: int, verdicts: pl.DataFrame) -> list[str]:
    """SQL that puts both sides' values of a level into `told_values` and `found_values`."""
    if verdicts.is_empty():
        return []
    words = verdicts["attribute"].unique().sort().to_list()
    paths = ", ".join(literal(f"$.{word}") for word in words)
    names = ", ".join(map(literal, words))
    statements = [
        f"INSERT INTO told_values SELECT DISTINCT * FROM (SELECT index_source, {literal(level)}, {_entry_keys(depth)}, "
        f"unnest([{names}]) AS attribute, unnest(json_extract_string(attributes, [{paths}])) AS value "
        f"FROM entries JOIN pairs ON index_source = entries.source WHERE level = {literal(level)} "
        f"AND coalesce(trim(study_uid), '') <> '') WHERE value IS NOT NULL"
    ]
    ours = "WHERE source IN (SELECT source FROM pairs) AND coalesce(trim(StudyInstanceUID), '') <> '' GROUP BY ALL"
    keys = _file_keys(depth)
    plain = verdicts.filter(~pl.col("compare").is_in(["set", "count"]))["attribute"].unique().sort().to_list()
    if plain:
        # distinct combinations first (about one an entity), values of each attribute from these
        columns = ", ".join(quote(word) for word in plain)
        statements.append(
            f"INSERT INTO found_values SELECT source, {literal(level)}, study_uid, series_uid, sop_uid, attribute, "
            f"value, sum(n) FROM (SELECT source, study_uid, series_uid, sop_uid, n, "
            f"unnest([{', '.join(map(literal, plain))}]) AS attribute, unnest([{columns}]) AS value FROM "
            f"(SELECT source, {keys}, {columns}, count(*) AS n FROM instances {ours})) GROUP BY ALL"
        )
    gathered = verdicts.filter(pl.col("compare").is_in(["set", "count"]))
    for word, taken, compare in gathered.select("attribute", "taken", "compare").unique().sort("attribute").rows():
        held = f"nullif(trim({quote(taken)}), '')"
        # distinct values first: a list of every object's value would neither be small nor spill to disk
        value = "count(held)::VARCHAR" if compare == "count" else "array_to_string(list_sort(list(held)), '\\')"
        statements.append(
            f"INSERT INTO found_values SELECT source, {literal(level)}, study_uid, series_uid, sop_uid, "
            f"{literal(word)}, {value}, sum(n) "
            f"FROM (SELECT source, {keys}, {held} AS held, count(*) AS n FROM instances {ours}) "
            "GROUP BY source, study_uid, series_uid, sop_uid"
        )
    return statements

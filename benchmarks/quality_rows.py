"""Instance tables of any size: the sample hospitals' objects multiplied, with identifiers and dates of their own.

A copy of a study is another study of another patient; each of its objects becomes `OBJECTS` objects of the series.
Studies that some check complains of are copied `RARE` times less often than the others.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import duckdb
from ruamel.yaml import YAML

from fonds.assess.definition import load_with_files
from fonds.assess.measure import measure_all
from fonds.assess.vocabulary import project_vocabularies
from fonds.catalog import schema
from fonds.catalog.store import Catalog, literal, quote
from fonds.crawl import crawl
from fonds.project.folders import shipped
from fonds.project.settings import Project, load
from fonds.samples import SOURCES

OBJECTS = 12
RARE = 10
FILE_ROWS = 65_536
_UIDS = ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID")
_DATES = ("StudyDate", "SeriesDate", "AcquisitionDate", "ContentDate")
_FAMILIES = "['AHLBERG', 'BRANDT', 'CORDES', 'DAHL', 'ENGEL', 'FINCK', 'GRABOW', 'HALLER', 'IHLE', 'JANSEN', 'KRUSE']"


def settings(folder: Path, name: str) -> Project:
    """A project on the sample hospitals with nothing in its catalog."""
    samples = shipped() / "data_samples" / "small"
    sources = {name: {**one, "path": str((samples / name).resolve())} for name, one in SOURCES.items()}
    folder.mkdir(parents=True)
    with (folder / "fonds.yaml").open("w", encoding="utf-8") as file:
        YAML().dump({"name": name, "sources": sources}, file)
    return load(folder)


def sample(folder: Path) -> Project:
    """The sample hospitals, crawled and measured once: what is multiplied."""
    project = settings(folder, "sample")
    crawl(project)
    checks = [check for _, check in load_with_files(project)]
    with Catalog(project).connect() as connection:
        found = measure_all(connection, checks, [""] * len(checks), project_vocabularies(project))
    Catalog(project).replace("findings", found.findings)
    return project


def multiply(base: Project, folder: Path, rows: int) -> Project:
    """A project whose `instances` have about `rows` rows in files as a crawl leaves them; `unreadable` stays."""
    project = settings(folder, "multiplied")
    catalog, parts = Catalog(project), folder / "parts"
    with Catalog(base).connect() as connection:
        connection.execute(
            f"SET memory_limit = '4GB'; SET temp_directory = {literal(str(folder / 'spill'))}; "
            "SET preserve_insertion_order = false"
        )
        _mark(connection)
        copies = max(
            1, round(rows / _number(connection, f"SELECT {OBJECTS} * sum(if(faulty, 1 / {RARE}, 1)) FROM base"))
        )
        connection.execute(f"COPY ({_select(project, copies)}) TO {literal(str(parts))} {_layout()}")
        add = sorted(parts.glob("*.parquet"))
        catalog.commit("instances", add=[path for path in add if path.stat().st_size], remove=())
        catalog.replace("unreadable", connection.sql("SELECT * FROM unreadable").pl())
    shutil.rmtree(parts)
    return project


def _mark(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute(
        "CREATE TEMP TABLE base AS SELECT i.*, "
        "EXISTS (FROM findings f WHERE f.study_uid = i.StudyInstanceUID OR f.entity IN "
        "(i.location, i.SeriesInstanceUID, record_id(i.source, coalesce(i.IssuerOfPatientID, ''), "
        "coalesce(i.PatientID, ''), coalesce(i.PatientName, ''), coalesce(i.PatientBirthDate, ''), "
        "coalesce(i.PatientSex, '')))) AS faulty FROM instances i"
    )


def _select(project: Project, copies: int) -> str:
    """Every column of `instances`, `k` the number of the copy and `j` of the object among its like."""
    valid = "regexp_full_match({0}, '[0-9]{{8}}') AND try_strptime({0}, '%Y%m%d') IS NOT NULL AND {0} > '1901'"
    made = {
        "location": "printf('%07d/%s/%02d', k, location, j)",
        "SOPInstanceUID": "CASE WHEN regexp_full_match(SOPInstanceUID, '[0-9.]+') AND length(SOPInstanceUID) <= 64 "
        "THEN '2.25.' || hash(SOPInstanceUID, k, j) ELSE SOPInstanceUID || '.' || k || '.' || j END",
        "MediaStorageSOPInstanceUID": "CASE WHEN MediaStorageSOPInstanceUID = SOPInstanceUID "
        "THEN '2.25.' || hash(SOPInstanceUID, k, j) ELSE MediaStorageSOPInstanceUID END",
        "PatientID": "CASE WHEN trim(PatientID) <> '' THEN PatientID || k END",
        "AccessionNumber": "CASE WHEN trim(AccessionNumber) <> '' THEN AccessionNumber || '-' || k END",
        "PatientName": "regexp_replace(PatientName, '^[A-Z]{3,}', "
        f"{_FAMILIES}[CAST(1 + hash(PatientName, k) % 11 AS BIGINT)])",
        "InstanceNumber": f"CAST(coalesce(try_cast(InstanceNumber AS BIGINT), 1) * {OBJECTS} + j AS VARCHAR)",
        "mtime_ns": "mtime_ns + k * 1000 + j",
        "size": "size + CAST(hash(k, j) % 1000 AS BIGINT)",
        "digest_object": "md5(concat(digest_object, k, j)) || md5(concat(k, digest_object, j))",
        "digest_header": "md5(concat(digest_header, k, j)) || md5(concat(k, digest_header, j))",
        "digest_pixels": "md5(concat(digest_pixels, k, j)) || md5(concat(k, digest_pixels, j))",
    }
    for uid in _UIDS:
        made[uid] = (
            f"CASE WHEN regexp_full_match({uid}, '[0-9.]+') AND length({uid}) <= 64 THEN '2.25.' || hash({uid}, k) "
            f"ELSE {uid} || '.' || k END"
        )
    for date in _DATES:
        made[date] = (
            f"CASE WHEN {valid.format(date)} THEN strftime(try_strptime({date}, '%Y%m%d') "
            f"- to_days(CAST(k % 400 AS INTEGER)), '%Y%m%d') ELSE {date} END"
        )
    birth = "PatientBirthDate"
    made[birth] = (
        f"CASE WHEN {valid.format(birth)} THEN strftime(try_strptime({birth}, '%Y%m%d') "
        f"- to_days(CAST(400 + k % 3000 AS INTEGER)), '%Y%m%d') ELSE {birth} END"
    )
    columns = ", ".join(
        f"{made[name]} AS {quote(name)}" if name in made else quote(name)
        for name in schema.table(project, "instances").schema
    )
    return (
        f"SELECT {columns} FROM range({copies}) copies(k), base, range({OBJECTS}) objects(j) "
        f"WHERE NOT faulty OR k % {RARE} = 0 ORDER BY source, location"
    )


def _layout() -> str:
    return (
        "(FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1, ROW_GROUP_SIZE 16384, ROW_GROUPS_PER_FILE 4, "
        "FILE_EXTENSION 'parquet')"
    )


def _number(connection: duckdb.DuckDBPyConnection, query: str) -> float:
    return float(connection.execute(query).fetchall()[0][0])


def change(project: Project, *, scattered: bool) -> int:
    """Let 1 % of the rows change as a crawl does: studies go, say something else, and come; returns how many rows.

    As a rule what changes lies together (the same folders, the same weeks); `scattered` takes studies from everywhere,
    as is done anyway where there are few copies.
    """
    catalog, parts = Catalog(project), project.root / "parts"
    with catalog.connect() as connection:
        copies = 1 + int(_number(connection, "SELECT max(CAST(left(location, 7) AS BIGINT)) FROM instances"))
        together = f"CAST(left(location, 7) AS BIGINT) * 1000 // {copies}"
        few = "hash(StudyInstanceUID) % 1000" if scattered or copies < 1000 else together
        rows = catalog.scan("instances", files=catalog.files("instances"))
        connection.execute(
            f"CREATE TEMP TABLE moved AS SELECT *, {few} AS share FROM ({rows}) WHERE {few} BETWEEN 500 AND 507"
        )
        remove = [Path(name) for (name,) in connection.execute("SELECT DISTINCT filename FROM moved").fetchall()]
        columns = ", ".join(map(quote, schema.table(project, "instances").schema))
        fresh = ", ".join(f"'2.25.' || hash({uid}, 'new') AS {uid}" for uid in (*_UIDS, "SOPInstanceUID"))
        queries = {
            "kept": f"SELECT {columns} FROM ({catalog.scan('instances', files=remove)}) "
            "ANTI JOIN moved USING (filename, file_row_number)",
            "changed": f"SELECT {columns} FROM (SELECT * REPLACE (NULL AS SeriesDescription, "
            "'ROE^JANE' AS PatientName, size + 1 AS size, mtime_ns + 1 AS mtime_ns) FROM moved WHERE share < 505)",
            "come": f"SELECT {columns} FROM (SELECT * REPLACE ({fresh}, "
            "'new' || location AS location, 'N' || PatientID AS PatientID) FROM moved WHERE share >= 505)",
        }
        add: list[Path] = []
        for name, query in queries.items():
            (parts / name).parent.mkdir(exist_ok=True)
            connection.execute(f"COPY ({query}) TO {literal(str(parts / name))} {_layout()}")
            add += sorted((parts / name).glob("*.parquet"))
        count = int(_number(connection, "SELECT count(*) FROM moved"))
    catalog.commit("instances", add=add, remove=remove)
    shutil.rmtree(parts)
    return count

"""The verbs that read: status, sql."""

from __future__ import annotations

import sys
from json import dumps, loads
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fonds.cli.stages import STAGES, JsonOption, ProjectOption

if TYPE_CHECKING:
    from fonds.project.settings import Project

PUBLISHED_REMEDY = (
    "catalog.duckdb is damaged, or was published when the project lay elsewhere; any stage makes it anew, such as "
    "`fonds crawl`"
)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("status")(status)
    app.command("sql")(sql)


def status(project: ProjectOption = Path(), json: JsonOption = False) -> None:
    """Where each source, stage and wave stands.

    Example: fonds status
    """
    import polars as pl

    from fonds.catalog.publish import newest_run
    from fonds.catalog.store import Catalog
    from fonds.cli import show
    from fonds.operations.runs import runs
    from fonds.project.settings import load

    opened = load(project)
    if (opened.catalog_dir / "catalog.duckdb").exists() and newest_run(opened) is None:
        show.talk.print(PUBLISHED_REMEDY, style="yellow", highlight=False, soft_wrap=True)
    with Catalog(opened).connect() as connection:
        parts = {
            name: connection.sql((Path(__file__).parent / "sql" / f"{name}.sql").read_text(encoding="utf-8")).pl()
            for name in ("sources", "waves")
        }
    last = runs(opened).unique("stage", keep="last", maintain_order=True).select("stage", "status", "ended", "counts")
    # what assess does beside its own run follows the stage whose answer it judges
    order = {stage: float(number) for number, stage in enumerate(STAGES)}
    order |= {"feed": order["crawl"] + 0.5, "judge": order["assess"] + 0.5, "gates": order["normalize"] + 0.5}
    parts["stages"] = last[sorted(range(last.height), key=lambda row: order[last["stage"][row]])]
    if json:
        show.as_json({name: part.to_dicts() for name, part in parts.items()})
        return
    show.frame(parts["sources"].drop("planned"), "Sources")  # the waves tell what is planned; eighty columns are few
    show.frame(parts["waves"], "Waves")
    told = [
        (stage, (ended or "")[:16], state, show.figures(loads(counts or "{}")))
        for stage, state, ended, counts in parts["stages"].iter_rows()
    ]
    show.frame(pl.DataFrame(told, schema=["stage", "ended, UTC", "status", "figures"], orient="row"), "Last runs")


def sql(
    query: Annotated[str, typer.Argument(help="One SELECT over the catalog's tables and views.")],
    project: ProjectOption = Path(),
    json: JsonOption = False,
    csv: Annotated[bool, typer.Option("--csv", help="Print CSV instead of a table.")] = False,
    as_of: Annotated[int | None, typer.Option("--as-of", metavar="RUN", help="As it was after this run.")] = None,
) -> None:
    """Query the catalog. It only reads; `fonds sql "show tables"` lists what there is.

    Example: fonds sql "select state, count(*) from reconciliation group by 1"
    """
    import duckdb
    import polars as pl

    from fonds.catalog.publish import open_published
    from fonds.cli import show
    from fonds.errors import QueryRefused
    from fonds.operations.snapshots import open_as_of
    from fonds.project.settings import load

    opened = load(project)
    if not (opened.catalog_dir / "catalog.duckdb").is_file():
        raise QueryRefused("there is no catalog yet; run `fonds crawl` first")
    reading = (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN)
    try:
        with open_published(opened) if as_of is None else open_as_of(opened, as_of) as connection:
            statements = connection.extract_statements(query)
            if len(statements) != 1 or statements[0].type not in reading:
                raise QueryRefused("give one SELECT; the catalog is only read")
            rows = connection.sql(query).pl()
    except duckdb.Error as error:
        _whole(opened)
        # a conversion error quotes the value that can't be converted, which may be a patient's
        converting = isinstance(error, duckdb.ConversionException)
        raise QueryRefused("a value can't be converted; use try_cast" if converting else str(error)) from None
    if json:
        show.as_json(rows.to_dicts())
    elif csv:
        # CSV has no lists: they are written as JSON, like --json does
        nested = [name for name, kind in rows.schema.items() if kind.is_nested()]
        texts = {
            name: pl.Series(
                [
                    None if value is None else dumps(value, ensure_ascii=False, default=str)
                    for value in rows[name].to_list()
                ],
                dtype=pl.String,
            )
            for name in nested
        }
        sys.stdout.write(rows.with_columns(**texts).write_csv())
    else:
        show.frame(rows)


def _whole(project: Project) -> None:
    """Raise StorageFailed with the remedy when it is the catalog, and not the query, that fails."""
    from fonds.catalog.damage import damaged
    from fonds.catalog.publish import newest_run
    from fonds.errors import CATALOG_REMEDY, StorageFailed

    if tables := ", ".join(name for name, _ in damaged(project)):
        raise StorageFailed(f"the catalog is damaged: {tables}. {CATALOG_REMEDY}")
    if newest_run(project) is None:
        raise StorageFailed(PUBLISHED_REMEDY)

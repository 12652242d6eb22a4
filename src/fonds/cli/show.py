"""How the command line shows things: tables and JSON on stdout, progress on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.measure import Measurement
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

if TYPE_CHECKING:  # neither the catalog's libraries nor the operations store are needed to print
    import polars as pl

    from fonds.operations.runs import Event, StageResult
    from fonds.operations.runs import Progress as Listener

data = Console(soft_wrap=False)
talk = Console(stderr=True)
STATUS_STYLE = {"done": "green", "unchanged": "dim", "partial": "yellow", "stopped": "red"}


def as_json(value: Any) -> None:
    """One JSON document on stdout."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, default=str) + "\n")


def frame(rows: pl.DataFrame, title: str | None = None, limit: int = 200) -> None:
    """A frame as a table on stdout, or line by line where its words are wider; says how many rows it left out."""
    table = _table(title)
    for name, kind in rows.schema.items():
        table.add_column(escape(name), justify="right" if kind.is_numeric() else "left", overflow="fold")
    shown = [["" if value is None else escape(str(value)) for value in row] for row in rows.head(limit).iter_rows()]
    for row in shown:
        table.add_row(*row)
    if shown and Measurement.get(data, data.options.update(width=10_000), table).minimum > data.width:
        _lines(rows.columns, shown, title)
    else:
        data.print(table)
    data.print()
    if rows.height > limit:
        talk.print(f"{rows.height - limit} more rows; use --json or --csv for all", style="dim")


def _table(title: str | None) -> Table:
    # two spaces between columns: the widest of ours fit eighty columns then
    return Table(
        title=title,
        box=box.SIMPLE_HEAD,
        header_style="bold",
        title_justify="left",
        show_edge=False,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )


def _lines(names: Sequence[str], shown: Sequence[Sequence[str]], title: str | None) -> None:
    """One line a value, as psql does it: columns of two letters each can't be read."""
    if title:
        data.print(title, style="italic")
    width = max(map(len, names))
    for number, row in enumerate(shown, start=1):
        data.rule(f"row {number}", align="left", style="dim", characters="─")
        for name, value in zip(names, row, strict=True):
            # never folded: a UID is copied whole, and a line is one value for grep
            data.print(f"[bold]{escape(name.ljust(width))}[/]  {value}".rstrip(), soft_wrap=True, highlight=False)


def figures(counts: Mapping[str, int]) -> str:
    """A stage's figures in one line, without the breakdowns (named `... by ...`), which --json has."""
    return ", ".join(f"{name.replace('_', ' ')} {value:,}" for name, value in counts.items() if " by " not in name)


def results(done: Sequence[StageResult]) -> None:
    """The journey's summary: what each stage did, its figures, and what is left for a person."""
    table = _table("What was done")
    for column in ("stage", "status", "figures"):
        table.add_column(column, overflow="fold")
    table.add_column("seconds", justify="right")
    for one in done:
        status = f"[{STATUS_STYLE[one.status]}]{one.status}[/]"
        table.add_row(one.stage, status, escape(figures(one.counts)), f"{one.seconds:.1f}")
    data.print(table)
    data.print()
    for one in done:
        for line in one.left:
            data.print(f"[yellow]·[/] {one.stage}: {escape(line)}", soft_wrap=True)
    if done and all(one.status == "unchanged" for one in done):
        data.print("Nothing has changed since the last run; no work was done.")


@contextmanager
def progress() -> Iterator[Listener]:
    """A listener for stages: bars on a terminal, a plain line for each stage and tenth otherwise."""
    if not talk.is_terminal:
        yield _plain_lines()
        return
    from fonds.operations.pace import Pace

    columns = (
        TextColumn("{task.description:<14}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[unit]}"),
        TextColumn("{task.fields[pace]}", style="dim"),
    )
    with Progress(*columns, TimeElapsedColumn(), console=talk, transient=True) as bars:
        known: dict[str, tuple[TaskID, Pace]] = {}

        def listen(event: Event) -> None:
            if event.stage not in known:
                known[event.stage] = bars.add_task(event.stage, total=event.total, unit=event.unit, pace=""), Pace()
            task, pace = known[event.stage]
            unit = f"{event.unit} {event.note}"
            bars.update(task, completed=event.done, total=event.total, unit=unit, pace=pace.hear(event))

        yield listen


def _plain_lines() -> Listener:
    from fonds.operations.pace import Pace

    told: dict[str, tuple[str, int]] = {}
    paces: dict[str, Pace] = {}

    def listen(event: Event) -> None:
        pace = paces.setdefault(event.stage, Pace()).hear(event)
        tenth = 10 * event.done // event.total if event.total else event.done // 10_000
        if told.get(event.stage) != (event.unit, tenth):
            told[event.stage] = event.unit, tenth
            total = f" of {event.total:,}" if event.total is not None else ""
            line = f"{event.stage}: {event.done:,}{total} {event.unit} {event.note}".rstrip()
            talk.print(f"{line} ({pace})" if pace else line, highlight=False, soft_wrap=True)

    return listen

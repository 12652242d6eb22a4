"""`fonds timeline`: a person's studies over all archives, what belongs to them, and what is missing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fonds.cli.showing import counted, value_text
from fonds.cli.stages import JsonOption, ProjectOption

if TYPE_CHECKING:
    from rich.table import Table

    from fonds.link.history import History

Row = dict[str, Any]
WORDS = {
    "images-without-report": "no report",
    "only-preliminary-report": "only a preliminary report",
    "report-without-images": "no images",
    "order-without-study": "no study",
    "study-without-order": "no order",
    "annotation-without-image": "no image of it in any archive",
    "cancelled-order-with-images": "its order was cancelled",
    "report-on-other-patient": "a report of it names another person",
    "order-on-other-patient": "an order of it names another person",
    "accession-on-two-patients": "its accession number is on another person, too",
    "accession-collision": "another archive gave its accession number to another person",
    "dangling-reference": "points to objects no archive holds",
    "referenced-study-missing": "points into a study no archive holds",
    "other-patient": "points to another person's objects",
    "missing-files": "its archive's index knows files that aren't there",
}
_FEED_WORDS = {
    "report-without-images": "its study is in no archive",
    "order-without-study": "no archive holds a study of it",
    "report-on-other-patient": "the study it leads to is another person's",
    "order-on-other-patient": "the study it leads to is another person's",
}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("timeline")(timeline)


def timeline(
    person: Annotated[
        str, typer.Argument(help="A person or record, ID or ISSUER|ID, a Study Instance UID, or an accession number.")
    ],
    project: ProjectOption = Path(),
    *,
    json: JsonOption = False,
) -> None:
    """What is there of a person, in the order of time, and what is missing? Shows patient data.

    Example: fonds timeline P0a1b2c3d4e5f607; fonds timeline "RAD|4711"; fonds timeline A2021-17
    """
    from fonds.cli import show
    from fonds.link.history import history
    from fonds.project.settings import load

    told = history(load(project), person)
    if json:
        show.as_json(asdict(told))
    else:
        _show(told)


def _show(told: History) -> None:
    from rich.markup import escape

    from fonds.cli import show

    def say(text: str) -> None:
        show.data.print(text, highlight=False, soft_wrap=True)

    say(f"[bold]Person {escape(told.person_id)}[/]")
    for name in _names(told.records):
        say(f"  {name}")
    say(f"  [dim]{escape(_identifiers(told.records))}[/]")
    if any(record["settled"] is False for record in told.records):
        say("  [yellow]who this is waits for an answer at the desk[/]")
    if not told.matched:
        say("  [yellow]matching hasn't run: this is one record, not the whole person[/]")
    say(f"  {_summary(told.items)}")
    for year, items in groupby(_entries(told.items), key=lambda entry: (entry[0]["at"] or "")[:4]):
        say(f"\n[bold]{year or 'Without a date'}[/]")
        grid = _grid()
        for head, below in items:
            _entry(grid, head, below)
        show.data.print(grid)


def _names(records: list[Row]) -> list[str]:
    """Each way the records say who this is, once."""
    said = {
        tuple(record[name] for name in ("PatientName", "PatientBirthDate", "PatientSex")): None for record in records
    }
    return [" · ".join(value_text(value) for value in one) for one in said]


def _identifiers(records: list[Row]) -> str:
    by_source: dict[str, list[str]] = {}
    for record in records:
        shown = f"{record['PatientID'] or 'no ID'} ({record['issuer']})" if record["issuer"] else record["PatientID"]
        by_source.setdefault(record["source"], []).append(str(shown or "no ID"))
    return "; ".join(f"{source}: {', '.join(dict.fromkeys(ids))}" for source, ids in by_source.items()) or "no record"


def _summary(items: list[Row]) -> str:
    studies = [item for item in items if item["kind"] == "study"]
    if not items:
        return "[yellow]no archive or feed holds anything of this person[/]"
    kinds = {kind: sum(item["kind"] == kind for item in items) for kind in ("report", "annotation", "order")}
    parts = [counted(len(studies), "study", "studies")]
    parts += [counted(count, kind) for kind, count in kinds.items() if count]
    archives = {source for study in studies for source in study["sources"]}
    lacking = sum(bool(item["missing"]) for item in items)
    tail = f"; [yellow]something is missing at {counted(lacking, 'item')}[/]" if lacking else "; nothing is missing"
    return f"{', '.join(parts)} in {counted(len(archives), 'archive')}{tail}"


def _entries(items: list[Row]) -> Iterator[tuple[Row, list[Row]]]:
    """Studies with what belongs to them, and what belongs to no study of theirs, in the order of time."""
    studies = {item["study_uid"] for item in items if item["kind"] == "study"}
    for item in items:
        if item["kind"] == "study":
            yield (
                item,
                [one for one in items if one["study_uid"] == item["study_uid"] and one["kind"] != "study"],
            )
        elif item["study_uid"] not in studies:
            yield item, []


def _entry(grid: Table, head: Row, below: list[Row]) -> None:
    from rich.markup import escape

    study = head["kind"] == "study"
    label = " ".join(head["modalities"] or []) if study else head["kind"]
    grid.add_row(_when(head["at"]), f"[bold]{escape(label or 'study')}[/]", f"[bold]{value_text(head['what'])}[/]")
    grid.add_row("", "", f"[dim]{_facts(head)}[/]")
    _missing(grid, head)
    for item in below:
        # the day stands once, before what belongs to it
        same = (item["at"] or "")[:10] == (head["at"] or "")[:10]
        when = "" if same else f"[dim]{_when(item['at'])[:10]}[/]"
        facts = _facts(item, study=head)
        grid.add_row(when, f"[dim]└[/] {item['kind']}", value_text(item["what"]) + f"[dim] · {facts}[/]")
        _missing(grid, item)


def _missing(grid: Table, item: Row) -> None:
    words = WORDS if item["kind"] not in ("report", "order") else {**WORDS, **_FEED_WORDS}
    if item["missing"]:
        grid.add_row("", "", f"[yellow]✗ {'; '.join(words.get(kind, kind) for kind in item['missing'])}[/]")


def _facts(item: Row, study: Row | None = None) -> str:
    """Where it is, and its figures, in one line; the accession number where it isn't that of its study."""
    from rich.markup import escape

    parts = [", ".join(item["sources"])]
    if item["kind"] == "study":
        parts += [f"{item['series']} series", counted(item["objects"], "object")]
        if item.get("priors"):
            parts.append(counted(item["priors"], "prior"))
    elif item["objects"] and item["objects"] > 1:
        parts.append(counted(item["objects"], "object"))
    if item["status"]:
        parts.append(item["status"])
    if item["accession"] and (study is None or item["accession_key"] not in (None, study["accession_key"])):
        parts.append(f"accession {item['accession']}")
    parts += ["suggested only" if note == "suggested" else note for note in item["notes"]]
    return escape(" · ".join(parts))


def _when(at: str | None) -> str:
    return "" if at is None else at[:16].replace("T", " ")


def _grid() -> Table:
    from rich.table import Table

    grid = Table.grid(padding=(0, 2, 0, 0), expand=True)
    grid.add_column(width=16, no_wrap=True)
    grid.add_column(width=13, overflow="fold")
    grid.add_column(ratio=1, overflow="fold")
    return grid

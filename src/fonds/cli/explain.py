"""`fonds explain`: why a study's values are what they will be, why two records are (not) one, what an object said."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fonds.cli.showing import counted, value_text
from fonds.cli.stages import JsonOption, ProjectOption

if TYPE_CHECKING:
    from rich.table import Table

    from fonds.project.settings import Project

Row = dict[str, Any]
MOST_VALUES = 12
_STATES = {"approved": "green", "proposed": "yellow", "rejected": "red"}
_SEVERITIES = {"block": "red", "critical": "red", "major": "yellow"}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("explain")(explain)


def explain(
    what: Annotated[
        list[str] | None, typer.Argument(help="STUDY_UID, study STUDY_UID, pair RECORD_A RECORD_B, or person PERSON.")
    ] = None,
    project: ProjectOption = Path(),
    *,
    attribute: Annotated[
        str | None, typer.Option("--attribute", "-a", metavar="KEYWORD", help="Only this attribute of the study.")
    ] = None,
    object_: Annotated[
        Path | None, typer.Option("--object", metavar="FILE", help="What this DICOM file said before it was changed.")
    ] = None,
    picture: Annotated[
        Path | None, typer.Option("--picture", metavar="FILE.svg", help="Draw the weights of the pair into this file.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Why is a value of a study what it is, or why are two records (not) one person? Shows patient data.

    Example: fonds explain 1.2.840.1; fonds explain 1.2.840.1 -a PatientName; fonds explain pair R01 R02
    """
    from fonds.cli import explain_people
    from fonds.errors import QueryRefused

    words = what or []
    if picture is not None and words[:1] != ["pair"]:
        raise QueryRefused("--picture belongs to `fonds explain pair RECORD_A RECORD_B`")
    if object_ is not None and not words:
        _object(object_, json)
    elif len(words) == 3 and words[0] == "pair":
        explain_people.pair(project, *words[1:], json=json, picture=picture)
    elif len(words) == 2 and words[0] == "person":
        explain_people.person(project, words[1], json=json)
    elif (len(words) == 1 and words[0] not in ("study", "pair", "person")) or (len(words) == 2 and words[0] == "study"):
        _study(project, words[-1], attribute, json)
    else:
        raise QueryRefused(
            "write `fonds explain STUDY_UID`, `fonds explain pair RECORD_A RECORD_B`, `fonds explain person PERSON`, "
            "or --object FILE"
        )


def _object(path: Path, json: bool) -> None:
    from fonds.cli import show
    from fonds.dicom.write import originals
    from fonds.errors import QueryRefused

    try:
        with path.open("rb") as stream:
            found = originals(stream)
    except OSError as error:
        raise QueryRefused(f"the file can't be read ({type(error).__name__})") from None
    if json:
        show.as_json([asdict(one) for one in found])
        return
    if not found:
        show.data.print("The object says nothing of earlier values: it has no Original Attributes Sequence.")
    told = None
    for one in found:
        head = (one.when, one.system, one.source, one.reason)
        if head != told:
            told = head
            show.data.rule(f"{one.when}  {one.reason}", align="left", style="dim", characters="─")
            show.data.print(f"by {one.system}, which had it from {one.source or 'nobody named'}", highlight=False)
        grid = _grid(34)
        value = value_text(one.text) if one.text is not None else "[dim italic]absent or empty[/]"
        value += " [dim](broke its VR)[/]" if one.nonconforming else ""
        grid.add_row(f"  {one.keyword or one.path}", value)
        show.data.print(grid)


def _study(project: Path, study: str, attribute: str | None, json: bool) -> None:
    from fonds.cli import show
    from fonds.errors import QueryRefused
    from fonds.normalize.explain import explain as told_of
    from fonds.project.settings import load

    opened = load(project)
    if attribute is not None:
        _known(opened, attribute)
    found = told_of(opened, study, attribute)
    if found is None:
        raise QueryRefused('nothing is known of this study; `fonds sql "select study_uid from plan"` lists them')
    if json:
        show.as_json(found)
        return
    show.data.print(f"[bold]Study {found['study_uid']}[/]", soft_wrap=True, highlight=False)
    for part in found["plan"]:
        show.data.print(_plan(part))
    for one in found["attributes"]:
        show.data.print()
        show.data.print(f"[bold]{one['attribute']}[/] [dim]{one['path']}[/]", highlight=False)
        show.data.print(_values(one, moves={part["source"] for part in found["plan"] if part["state"] == "planned"}))
    if found["findings"]:
        show.data.print("\n[bold]Findings on the study as a whole[/]")
        grid = _grid()
        for finding in found["findings"]:
            _finding(grid, finding)
        show.data.print(grid)
    if not found["attributes"] and not found["findings"]:
        show.data.print("\nIts files agree, no rule changes them, and no check finds anything.")
    if found["note"]:
        show.talk.print(found["note"], style="yellow", highlight=False, soft_wrap=True, markup=False)


def _known(project: Project, attribute: str) -> None:
    from fonds.catalog.schema import attributes
    from fonds.errors import QueryRefused
    from fonds.normalize.definition import NESTED

    if attribute not in (*attributes(project), *NESTED):
        raise QueryRefused(f"{attribute} isn't catalogued; rules/base/attributes.yaml names those that are")


def _grid(width: int = 26) -> Table:
    from rich.table import Table

    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(width=width, overflow="fold")
    grid.add_column(overflow="fold", ratio=1)
    return grid


def _plan(part: Row) -> Table:
    from rich.markup import escape

    grid = _grid()
    state = f"{part['state']}{_in(part)}"
    if part["proven"] is not None and part["state"] == "planned":
        state += f", {part['proven']}" + (f" ({part['proven_reason']})" if part["proven_reason"] else "")
    why = f": {part['reason']}" if part["reason"] else ""
    grid.add_row(f"{escape(part['source'])} {counted(part['objects'], 'object')}", escape(state + why))
    if part["detail"]:
        grid.add_row("", f"[dim]{escape(part['detail'])}[/]")
    return grid


def _in(part: Row) -> str:
    return f" in wave {part['wave']}, number {part['sequence']}" if part["wave"] is not None else ""


def _values(one: Row, moves: set[str]) -> Table:
    from rich.markup import escape

    grid = _grid()
    for value in one["values"][:MOST_VALUES]:
        grid.add_row(f"  {escape(value['source'])} {counted(value['objects'], 'object')}", value_text(value["raw"]))
        for told in value["index"]:
            word = {"index": "its word counts", "files": "the files' word counts"}.get(
                told["winner"], "nobody's counts"
            )
            part = f" of {told['part']}" if told["part"] else ""
            grid.add_row(
                f"    {escape(told['index_source'])} says", f"{value_text(told['index_value'])} [dim]({word}{part})[/]"
            )
        for change in value["changes"]:
            _change(grid, change, value, "will" if value["source"] in moves else "would")
        if value["unchanged"] and value["changes"]:
            grid.add_row(f"    {counted(value['unchanged'], 'object')}", "stay as they are")
    if (more := len(one["values"]) - MOST_VALUES) > 0:
        grid.add_row("", f"[dim]{more} more values; --json has all[/]")
    for finding in one["findings"]:
        _finding(grid, finding)
    return grid


def _change(grid: Table, change: Row, value: Row, will: str) -> None:
    from rich.markup import escape

    for step in change["steps"]:
        facts = f"{step['pack']} {step['pack_version']}, {step['reason']}, confidence {step['confidence']:g}"
        asks = ", asks a steward" if step["needs"] == "steward" else ""
        grid.add_row(f"    {escape(step['rule'])}", f"→ {value_text(step['after'])}")
        grid.add_row("", f"[dim]{escape(step['title'])}[/]")
        grid.add_row("", f"[dim]{escape(facts)}{asks}[/]")
    if not change["steps"]:
        facts = f"{change['pack']} {change['pack_version']}, {change['reason']}, confidence {change['confidence']:g}"
        grid.add_row(f"    {escape(change['rule'])}", f"→ {value_text(change['after'])}")
        grid.add_row("", f"[dim]{escape(facts)}; made by the packs as they were[/]")
    for number, one in enumerate(change["candidates"][:3], start=1):
        why = f" [dim]({escape(str(one['why']))})[/]" if one.get("why") else ""
        grid.add_row(f"    candidate {number}", f"{value_text(one.get('value'))}{why}")
    style = _STATES.get(change["state"], "white")
    how = _how(change)
    some = f", {counted(change['objects'], 'object')}" if change["objects"] != value["objects"] else ""
    grid.add_row(f"    [{style}]{change['state']}[/]{some}", f"[dim]{how}[/]")
    for made in change["decisions"]:
        comment = f": {made['comment']}" if made["comment"] else ""
        said = f"{made['verdict']} by {made['who']}, {made['at'][:16]}{comment}"
        grid.add_row(f"    decision {made['decision_id']}", escape(said))
    grid.add_row(f"    [bold]target {will} say[/]", f"[bold]{value_text(change['target'])}[/]")


def _how(change: Row) -> str:
    """Why the change is in its state."""
    if change["decisions"]:
        return f"change {change['change_id']}"
    if change["state"] == "approved":
        return f"no steward is asked; change {change['change_id']}"
    return f"waits at the desk as change {change['change_id']}"


def _finding(grid: Table, finding: Row) -> None:
    from rich.markup import escape

    style = _SEVERITIES.get(finding["severity"], "white")
    times = f" [dim]({finding['entities']} times)[/]" if finding["entities"] > 1 else ""
    grid.add_row(f"  [{style}]{finding['severity']}[/] {finding['check_id']}", escape(finding["message"]) + times)
    shown = f"{escape(finding['source'])}" + (f": {value_text(finding['value'])}" if finding["value"] else "")
    grid.add_row("", f"[dim]{shown}[/]")
    fix = f"remedy: {finding['fix']}" if finding["fix"] else "remedy: a person looks"
    grid.add_row("", f"[dim]{escape(fix)}; {escape(finding['standard'] or '')}[/]".replace("; [/]", "[/]"))

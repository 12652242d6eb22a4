"""`fonds explain pair` and `fonds explain person`: how a pair's weight adds up, and what holds a person together."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fonds.cli.showing import counted, value_text

if TYPE_CHECKING:
    from rich.table import Table

    from fonds.match.explain import PairTold, PersonTold

Row = dict[str, Any]
BAR = 24
MOST_LINKS, MOST_EVENTS = 20, 12
_BANDS = {"link": "green", "review": "yellow", "reject": "red"}


def pair(project: Path, a: str, b: str, *, json: bool, picture: Path | None) -> None:
    """Show the pair of two records as text or JSON, and draw its waterfall."""
    from fonds.cli import show
    from fonds.match.explain import explain_pair
    from fonds.project.settings import load

    told = explain_pair(load(project), a, b)
    if picture is not None:
        draw(told, picture)
    if json:
        show.as_json(asdict(told))
    else:
        _pair(told)


def person(project: Path, name: str, *, json: bool) -> None:
    """Show a person as text or JSON."""
    from fonds.cli import show
    from fonds.match.explain import explain_person
    from fonds.project.settings import load

    told = explain_person(load(project), name)
    if json:
        show.as_json(asdict(told))
    else:
        _person(told)


def draw(told: PairTold, path: Path) -> None:
    """Draw the waterfall of a pair into an SVG file. Shows patient data."""
    import polars as pl

    from fonds.errors import QueryRefused
    from fonds.report.charts import chart_svg
    from fonds.report.definition import Chart

    if not told.steps:
        raise QueryRefused("nothing is known that could be drawn: the pair's evidence wasn't kept")
    name = " and ".join(str(record["record_id"]) for record in told.records)
    bars = [
        (
            f"{step['comparison'].replace('_', ' ')}: {step['label']}",
            float(step["weight"]),
            step["sum"] - float(step["weight"]),
            step["sum"],
            "for" if step["weight"] >= 0 else "against",
        )
        for step in told.steps
    ]
    bars.append(("sum", bars[-1][3], 0.0, bars[-1][3], "sum"))
    frame = pl.DataFrame(bars, schema=["step", "weight", "begins", "ends", "side"], orient="row").with_columns(
        pl.lit(name).alias("pair")
    )
    block = Chart(
        query="pair", kind="chart", chart="waterfall", x="weight", y="step", span=("begins", "ends"), group="pair",
        color="side", x_title="sum of the weights so far (log2 of the odds)",
    )  # fmt: skip
    path.write_text(chart_svg(block, frame), encoding="utf-8")


def _pair(told: PairTold) -> None:
    from rich.markup import escape

    from fonds.cli import show

    def say(text: str) -> None:
        show.data.print(text, highlight=False, soft_wrap=True)

    say("[bold]Records[/]")
    show.data.print(_records(told.records))
    say("")
    if told.steps:
        say("[bold]How the weight adds up[/] [dim](log2 of the odds; dim: what average values weigh)[/]")
        silent = [step for step in told.steps if _says_nothing(step)]
        show.data.print(waterfall([step for step in told.steps if step not in silent]))
        if silent:
            say(f"Neither record tells: {', '.join(step['comparison'].replace('_', ' ') for step in silent)}.")
    elif told.compared:
        say("[dim]Its evidence wasn't kept: the weight alone rejects it.[/]")
    if told.weight is not None:
        stated = f"weight {told.weight:.2f}, probability {_probability(told.weight)}"
        say(f"\n[bold]{'It weighs' if told.compared else 'Compared, it would weigh'}[/]: {stated}")
    if told.band is not None:
        note = f": {escape(told.note)}" if told.note else ""
        say(f"[bold]Outcome[/]: [{_BANDS[told.band]}]{told.band}[/]{note}")
    found = ", ".join(told.blocked_by)
    if told.compared:
        say(f"[bold]Found by[/]: {found or 'no blocking rule; it was compared for its cluster, a decision or a feed'}")
    else:
        say(f"[bold]Never compared[/]: {f'found by {found}, but not kept' if found else 'no blocking rule finds it'}")
    people = {record["person_id"] for record in told.records}
    if None not in people:
        say(f"[bold]{'One person' if len(people) == 1 else 'Two persons'}[/]: {', '.join(sorted(people))}")
    for made in told.decisions:
        comment = f": {escape(made['comment'])}" if made["comment"] else ""
        said = f"{made['verdict']} by {escape(made['who'])}, {made['at'][:16]}{comment}"
        say(f"[bold]Decision {made['decision_id']}[/]: {said}")
    _events(told.events)


def _person(told: PersonTold) -> None:
    from rich.markup import escape

    from fonds.cli import show

    def say(text: str) -> None:
        show.data.print(text, highlight=False, soft_wrap=True)

    say(f"[bold]Person {escape(told.person)}[/]: {counted(len(told.records), 'record')}")
    show.data.print(_records(told.records))
    linked = [link for link in told.links if link["band"] == "link"]
    if linked:
        say(f"\n[bold]What holds it together[/], the lightest first ({counted(len(linked), 'pair')})")
        for link in linked[:MOST_LINKS]:
            why = f"decided by {link['decided_by']}" if link["decided"] else link["note"]
            told_why = f" [dim]{escape(why)}[/]" if why else ""
            mark = " [yellow]weakest link[/]" if (link["record_a"], link["record_b"]) == told.weakest else ""
            say(f"  {link['weight']:>7.1f}  {link['record_a']} – {link['record_b']}{mark}{told_why}")
        if (more := len(linked) - MOST_LINKS) > 0:
            say(f"[dim]  {more} more; --json has all[/]")
    _events(told.events)


def _records(records: list[Row]) -> Table:
    from rich.markup import escape

    grid = _grid()
    for record in records:
        state = "" if record["person_id"] is None else f"person {record['person_id']}"
        if record["settled"] is False:
            state += f", open: {record['reason']}"
        grid.add_row(f"[bold]{escape(record['record_id'])}[/]", f"{escape(record['source'] or '')} [dim]{state}[/]")
        who = ("PatientName", "PatientBirthDate", "PatientSex", "PatientID")
        grid.add_row(
            "", " · ".join(value_text(record[name]) for name in who) + f" [dim]{escape(record['issuer'] or '')}[/]"
        )
        if record["missing"]:
            grid.add_row("", f"[dim]counts as not known: {escape(', '.join(record['missing']))}[/]")
    return grid


def waterfall(told: list[Row]) -> Table:
    """The steps as rows: what was compared, both values, the weight, a bar from the sum before to the sum after."""
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    for name, right in (("compared", False), ("values", False), ("weight", True), ("sum", True), ("", False)):
        table.add_column(name, justify="right" if right else "left", overflow="fold", no_wrap=right)
    sums = [0.0, *(float(step["sum"]) for step in told)]
    low, high = min(sums), max(sums)
    for step, before in zip(told, sums, strict=False):
        name = f"{step['comparison'].replace('_', ' ')}\n[dim]{escape(step['label'])}[/]"
        values = "" if step["a"] is None and step["b"] is None else f"{value_text(step['a'])}\n{value_text(step['b'])}"
        bar = _bar(before, float(step["sum"]), low, high)
        usual = "" if step["usual"] is None else f"\n[dim]{step['usual']:+.1f}[/]"
        table.add_row(name, values, f"{step['weight']:+.1f}{usual}", f"{step['sum']:.1f}", bar)
    return table


def _says_nothing(step: Row) -> bool:
    return step["label"] == "missing" and step["a"] is None and step["b"] is None and not step["weight"]


def _bar(before: float, after: float, low: float, high: float) -> str:
    """Blocks between two sums, green towards one person and red away from it; a line where the odds are even."""
    scale = (BAR - 1) / max(high - low, 1e-6)
    start, end, zero = (round((value - low) * scale) for value in (min(before, after), max(before, after), 0.0))
    shown = abs(after - before) >= 0.05
    signs = ["█" if shown and start <= place < max(end, start + 1) else " " for place in range(BAR)]
    if signs[zero] == " ":
        signs[zero] = "│"
    return f"[{'green' if after >= before else 'red'}]{''.join(signs)}[/]"


def _probability(weight: float) -> str:
    """Never rounded to 0 or 1."""
    doubt = 1 / (1 + 2 ** min(weight, 60.0))
    return f"1 - {doubt:.1e}" if doubt < 1e-4 else f"{1 / (1 + 2 ** min(-weight, 60.0)):.4g}"


def _events(events: list[Row]) -> None:
    from rich.markup import escape

    from fonds.cli import show

    if not events:
        return
    show.data.print("\n[bold]What happened[/]", highlight=False)
    for event in events[-MOST_EVENTS:]:
        run = f"run {event['run']}, " if event["run"] is not None else ""
        told = f"  {run}{event['kind']} {event['record_id']} → {event['person_id']}: {event['reason'] or ''}"
        show.data.print(escape(told), highlight=False, soft_wrap=True)
    if (more := len(events) - MOST_EVENTS) > 0:
        show.data.print(f"[dim]  {more} earlier; --json has all[/]", highlight=False)


def _grid() -> Table:
    from rich.table import Table

    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(overflow="fold")
    grid.add_column(overflow="fold", ratio=1)
    return grid

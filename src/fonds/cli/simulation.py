"""`fonds normalize --dry-run` on the terminal: rules with examples, then how each attribute's values would shift."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fonds.cli.showing import counted, value_text

if TYPE_CHECKING:
    import polars as pl
    from rich.table import Table

Row = dict[str, Any]


def show_simulation(project: Path, rule: str | None, sources: Sequence[str], json: bool) -> None:
    """Compute what `normalize` would do and print it."""
    from fonds.cli import show
    from fonds.normalize.simulate import simulate
    from fonds.operations.runs import Event
    from fonds.project.settings import load

    opened = load(project)
    with show.progress() as listener:
        found = simulate(
            opened,
            rule=rule,
            sources=sources,
            tell=lambda done, total, unit, note: listener(Event("dry run", done, total, unit, note)),
        )
    if json:
        parts = ("rules", "examples", "shifts", "tops")
        show.as_json({"counts": found.counts, **{part: getattr(found, part).to_dicts() for part in parts}})
        return
    counts = found.counts
    show.data.print(
        f"Nothing was written. The rules would change {counts['changes']:,} values in {counts['objects']:,} objects of "
        f"{counts['studies']:,} studies.",
        highlight=False,
    )
    show.data.print(
        f"Against the changes in the catalog: {counts['new']:,} new, {counts['gone']:,} gone, "
        f"{counts['different']:,} with another value or state, {counts['same']:,} the same.",
        highlight=False,
    )
    examples = found.examples.partition_by("rule", as_dict=True) if found.examples.height else {}
    for one in found.rules.to_dicts():
        _rule(one, examples.get((one["rule"],)))
    if found.shifts.height:
        _shifts(found.shifts.to_dicts(), found.tops.to_dicts())


def _rule(one: Row, examples: pl.DataFrame | None) -> None:
    from rich.markup import escape

    from fonds.cli import show

    show.data.print()
    pack = f"{one['pack']} {one['pack_version']}" if one["pack"] else "in no pack now"
    show.data.print(f"[bold]{escape(one['rule'])}[/] [dim]{escape(pack)}[/]", highlight=False)
    if one["title"]:
        show.data.print(f"  {escape(one['title'])}", highlight=False)
    states = ", ".join(f"{one[state]:,} {state}" for state in ("approved", "proposed", "rejected") if one[state])
    news = ", ".join(f"{one[how]:,} {how}" for how in ("new", "gone", "different", "same") if one[how])
    show.data.print(
        f"  {counted(one['objects'], 'object')} of {counted(one['studies'], 'study', 'studies')}, from "
        f"{counted(one['values'], 'distinct value')}: "
        f"{states or 'none'} [dim]({news})[/]",
        highlight=False,
    )
    grid = _grid(34, 7, 31)
    for example in examples.to_dicts() if examples is not None else ():
        change = f"{value_text(example['before'])} [dim]→[/] {value_text(example['after'])}"
        grid.add_row("", change, f"{example['objects']:,}", f"[dim]{example['attribute']}[/]")
    show.data.print(grid)


def _shifts(shifts: list[Row], tops: list[Row]) -> None:
    from fonds.cli import show

    show.data.print("\n[bold]How the values shift[/] [dim]with every change that isn't rejected[/]", highlight=False)
    for shift in shifts:
        show.data.print()
        show.data.print(
            f"[bold]{shift['attribute']}[/]: {shift['values_before']:,} → {shift['values_after']:,} distinct values, "
            f"empty {shift['empty_before']:.1%} → {shift['empty_after']:.1%}, distance {shift['distance']:.3f}",
            highlight=False,
        )
        grid = _grid(50, 7, 9)
        for top in (row for row in tops if row["attribute"] == shift["attribute"]):
            shares = f"{top['share_before']:.1%}", f"[dim]→[/] {top['share_after']:.1%}"
            grid.add_row("", value_text(top["value"]), *shares)
        show.data.print(grid)


def _grid(first: int, second: int, third: int) -> Table:
    """Four columns: an indent, then text, a figure and text again, of these widths."""
    from rich.table import Table

    grid = Table.grid(padding=(0, 1, 0, 0))
    grid.add_column(width=3)
    grid.add_column(width=first, overflow="fold")
    grid.add_column(width=second, justify="right")
    grid.add_column(width=third, overflow="fold")
    return grid

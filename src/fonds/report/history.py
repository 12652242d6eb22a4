"""Pictures of histories: a lane for each archive or feed, a mark for each item at its day."""

from __future__ import annotations

import altair as alt
import polars as pl

from fonds.report.colours import colour, in_order, values
from fonds.report.definition import Chart
from fonds.report.palette import INK, LINE, RED, WIDE

LANE = 26
SHAPES = ("square", "circle", "triangle-up", "diamond", "cross", "triangle-down", "triangle-left")


def lanes(block: Chart, frame: pl.DataFrame, known: list[str]) -> alt.VConcatChart:
    """Marks by day in lanes, one picture for each value of `group`, all on one axis of years.

    `x` is a DATE; `color` the kind of a mark, told by its shape too; where `mark` is true a ring surrounds it.
    """
    group, kind = block.group or "", block.color or ""
    day = pl.col(block.x)
    # a year with its part is the same in every time zone, which Vega's dates are not
    placed = frame.with_columns(year=day.dt.year() + (day.dt.ordinal_day() - 1) / 366)
    # what lies in one lane on one day stands one above the other
    same = [group, block.y, block.x]
    slot, slots = pl.col(kind).rank("ordinal").over(same), pl.len().over(same)
    placed = placed.with_columns(shift=slot.cast(pl.Float64) - (slots.cast(pl.Float64) + 1) / 2)
    ends = [float(placed["year"].min() or 0), float(placed["year"].max() or 0)]  # type: ignore[arg-type]
    scale = alt.Scale(domain=[int(ends[0]), int(ends[1]) + 1], nice=False)
    parts = placed.partition_by(group, maintain_order=True)
    axis = alt.Axis(format="d", tickCount=8, tickMinStep=1, domain=False, grid=True)
    pictures = []
    for number, part in enumerate(parts):
        last = number == len(parts) - 1
        x = alt.X("year:Q", title=(block.x_title or None) if last else None, scale=scale, axis=axis)
        pictures.append(_history(block, part, placed, x, known))
    return alt.vconcat(*pictures, spacing=18)


def _history(block: Chart, part: pl.DataFrame, whole: pl.DataFrame, x: alt.X, known: list[str]) -> alt.LayerChart:
    kind = block.color or ""
    names = alt.Y(
        f"{block.y}:N",
        sort=part[block.y].unique(maintain_order=True).to_list(),
        title=None,
        axis=alt.Axis(domain=False, grid=True, gridColor=LINE, tickBand="extent"),
    )
    title = alt.Title(str(part[block.group or ""][0]), anchor="start", frame="bounds", fontSize=12, color=INK)
    far = max(1.6, float(part["shift"].abs().max() or 0) + 0.5)  # type: ignore[arg-type]
    base = alt.Chart(part, width=WIDE - 60, height=alt.Step(LANE), title=title).encode(
        x=x, y=names, yOffset=alt.YOffset("shift:Q", scale=alt.Scale(domain=[-far, far]))
    )
    order = in_order(known)
    shapes = alt.Scale(domain=order, range=[SHAPES[number % len(SHAPES)] for number in range(len(order))])
    marks = base.mark_point(filled=True, size=42, opacity=1).encode(
        color=colour(block, whole, known),
        shape=alt.Shape(f"{kind}:N", scale=shapes, legend=alt.Legend(values=in_order(values(block, whole)))),
    )
    if block.mark is None:
        return alt.layer(marks)
    rings = base.transform_filter(alt.datum[block.mark]).mark_point(
        filled=False, shape="circle", size=130, strokeWidth=1.4, color=RED, opacity=1
    )
    return alt.layer(rings, marks)

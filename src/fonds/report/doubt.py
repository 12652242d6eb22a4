"""Pictures of how sure the matching is: what it states against what people found, and how a pair's weight adds up."""

from __future__ import annotations

import altair as alt
import polars as pl

from fonds.report.definition import Chart
from fonds.report.palette import BLUE, GREY, HALF, INK, ORANGE, WIDE

STEP = 20


def intervals(block: Chart, frame: pl.DataFrame, _known: list[str]) -> alt.LayerChart:
    """A share by `x` with its interval (`span`), and as a tick what it should be (`mark`)."""
    low, high = block.span or (block.y, block.y)
    width = HALF if block.width == "half" else WIDE
    x = alt.X(
        f"{block.x}:N",
        sort=frame[block.x].unique(maintain_order=True).to_list(),
        title=block.x_title or None,
        axis=alt.Axis(labelAngle=0, domain=True),
    )
    scale = alt.Scale(domain=[0, 1])
    axis = alt.Axis(format=".0%", tickCount=5, domain=False)
    base = alt.Chart(frame, width=width, height=230).encode(x=x)
    lines = base.mark_bar(size=3, color=BLUE).encode(
        y=alt.Y(f"{low}:Q", title=block.y_title or None, scale=scale, axis=axis), y2=f"{high}:Q"
    )
    points = base.mark_point(filled=True, size=80, color=BLUE, opacity=1).encode(y=f"{block.y}:Q")
    if block.mark is None:
        return alt.layer(lines, points)
    ticks = base.mark_tick(color=ORANGE, thickness=3, width=34).encode(y=f"{block.mark}:Q")
    return alt.layer(ticks, lines, points)


def waterfall(block: Chart, frame: pl.DataFrame, _known: list[str]) -> alt.VConcatChart:
    """Bars of `x` from one end of `span` to the other, one picture for each value of `group`, all on one axis.

    `color` tells what a bar is: for, against or sum.
    """
    start, end = block.span or (block.x, block.x)
    drawn = frame.with_columns(pl.max_horizontal(start, end).alias("right"))
    ends = pl.concat([frame[start], frame[end], pl.Series([0.0])])
    scale = alt.Scale(domain=[ends.min(), ends.max()], nice=True)
    parts = drawn.partition_by(block.group or "", maintain_order=True)
    axes = [alt.X(f"{start}:Q", title=None, scale=scale, axis=alt.Axis(tickCount=6, domain=False)) for _ in parts]
    axes[-1].title = block.x_title or None
    return alt.vconcat(*(_fall(block, part, axis) for part, axis in zip(parts, axes, strict=True)), spacing=22)


def _fall(block: Chart, part: pl.DataFrame, axis: alt.X) -> alt.LayerChart:
    names = alt.Y(f"{block.y}:N", sort=part[block.y].to_list(), title=None, axis=alt.Axis(domain=False, labelLimit=160))
    sides = alt.Scale(domain=["for", "against", "sum"], range=[BLUE, ORANGE, GREY])
    title = alt.Title(str(part[block.group or ""][0]), anchor="start", frame="bounds", fontSize=12, color=INK)
    base = alt.Chart(part, width=WIDE - 110, height=alt.Step(STEP), title=title).encode(y=names)
    bars = base.mark_bar(height=12).encode(
        x=axis, x2=f"{(block.span or ('', ''))[1]}:Q", color=alt.Color(f"{block.color}:N", scale=sides, legend=None)
    )
    numbers = base.mark_text(align="left", dx=5, fontSize=11, color=INK).encode(
        x="right:Q", text=alt.Text(f"{block.x}:Q", format="+.1f")
    )
    return alt.layer(bars, numbers)

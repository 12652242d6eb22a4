"""The charts of the report, drawn by Vega-Lite to inline SVG: no script, no font and no request in the file."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import altair as alt
import polars as pl
import vl_convert

from fonds.report.colours import colour, in_order, values
from fonds.report.definition import Chart
from fonds.report.doubt import intervals, waterfall
from fonds.report.history import lanes
from fonds.report.palette import FONT, HALF, INK, LINE, MUTED, PADDING, WIDE


def chart_svg(block: Chart, frame: pl.DataFrame, known: list[str] | None = None) -> str:
    """The block's picture as an `<svg>` element that scales with its container; text in it is escaped by Vega.

    `known` are all values the colour column has anywhere in the report: a source keeps its colour from chart to chart.
    """
    draw: Callable[[Chart, pl.DataFrame, list[str]], alt.Chart | alt.LayerChart | alt.VConcatChart] = {
        "bars": _bars,
        "columns": _columns,
        "heatmap": _heatmap,
        "histogram": _histogram,
        "lines": _lines,
        "progress": _progress,
        "intervals": intervals,
        "waterfall": waterfall,
        "lanes": lanes,
    }[block.chart]
    spec = draw(block, frame, in_order(known or values(block, frame))).configure(**_theme()).to_dict(validate=False)
    spec["padding"] = PADDING
    svg = str(vl_convert.vegalite_to_svg(spec))
    return svg.replace("<svg ", '<svg role="img" ', 1)


def _theme() -> dict[str, Any]:
    axis = {
        "labelColor": MUTED,
        "titleColor": MUTED,
        "domainColor": LINE,
        "tickColor": LINE,
        "gridColor": LINE,
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": 400,
        "labelLimit": 170,
        "titlePadding": 8,
        "labelPadding": 6,
        "ticks": False,
    }
    legend = {
        "labelColor": MUTED,
        "titleColor": MUTED,
        "labelFontSize": 12,
        "orient": "top",
        "title": None,
        "symbolType": "square",
        "symbolSize": 110,
        "columns": 6,
        "columnPadding": 14,
        "labelLimit": 150,
        "padding": 0,
        "offset": 10,
    }
    return {"font": FONT, "background": "transparent", "view": {"stroke": None}, "axis": axis, "legend": legend}


def _width(block: Chart) -> int:
    return HALF if block.width == "half" else WIDE


def _as_asked(frame: pl.DataFrame, name: str) -> list[str]:
    """The values in the order of the query."""
    values: list[str] = frame[name].unique(maintain_order=True).to_list()
    return values


def _bars(block: Chart, frame: pl.DataFrame, known: list[str]) -> alt.LayerChart:
    """Horizontal bars, a number at each end; `x` counts, `y` names, `color` stacks."""
    names = alt.Y(f"{block.y}:N", sort=_as_asked(frame, block.y), title=block.y_title or None)
    axis = alt.Axis(grid=True, tickCount=5, tickMinStep=1, format="~s", domain=False)
    bars = (
        alt.Chart(_ranked(frame, block.color, known), width=_width(block), height=alt.Step(26))
        .mark_bar(height=17)
        .encode(
            x=alt.X(f"{block.x}:Q", title=block.x_title or None, axis=axis, stack="zero"),
            y=names,
            color=colour(block, frame, known),
            order=alt.Order("rank:Q"),
        )
    )
    numbers = (
        alt.Chart(frame.group_by(block.y, maintain_order=True).agg(pl.col(block.x).sum()))
        .mark_text(align="left", dx=6, fontSize=12, color=INK)
        .encode(x=f"{block.x}:Q", y=names, text=alt.Text(f"{block.x}:Q", format=",d"))
    )
    return alt.layer(bars, numbers)


def _ranked(frame: pl.DataFrame, name: str | None, known: list[str]) -> pl.DataFrame:
    """The frame with `rank`: the order in which a bar's parts are stacked is that of the legend."""
    if name is None:
        return frame.with_columns(pl.lit(0).alias("rank"))
    order = {value: number for number, value in enumerate(known)}
    return frame.with_columns(pl.col(name).replace_strict(order, default=0).alias("rank"))


def _columns(block: Chart, frame: pl.DataFrame, known: list[str]) -> alt.Chart:
    """Upright columns along an ordered `x`, such as years; `y` counts, `color` stacks."""
    labels = alt.Axis(labelAngle=0, labelOverlap=True, domain=True)
    return (
        alt.Chart(_ranked(frame, block.color, known), width=_width(block), height=210)
        .mark_bar()
        .encode(
            x=alt.X(f"{block.x}:O", title=block.x_title or None, axis=labels),
            y=alt.Y(f"{block.y}:Q", title=block.y_title or None, axis=_counts()),
            color=colour(block, frame, known),
            order=alt.Order("rank:Q"),
        )
    )


def _counts() -> alt.Axis:
    return alt.Axis(tickCount=4, tickMinStep=1, format="~s", domain=False)


def _heatmap(block: Chart, frame: pl.DataFrame, known: list[str]) -> alt.LayerChart:
    """Cells of a share between 0 and 1, the number written in each: the colour is never alone. NULL leaves a gap."""
    # where cells are many they are small, and their numbers have no decimals unless the share is between 99 and 100 %
    dense = frame[block.y].n_unique() > 9 or frame[block.x].n_unique() > 9
    letters = 10 if frame[block.x].n_unique() > 7 else 12
    filled = frame.filter(pl.col(block.color or block.x).is_not_null())
    base = alt.Chart(filled, width=_width(block), height=alt.Step(24 if dense else 38)).encode(
        x=alt.X(
            f"{block.x}:N",
            sort=_as_asked(frame, block.x),
            title=block.x_title or None,
            axis=alt.Axis(orient="top", labelAngle=0, domain=False, labelLimit=110, labelFontSize=letters),
        ),
        y=alt.Y(
            f"{block.y}:N", sort=_as_asked(frame, block.y), title=block.y_title or None, axis=alt.Axis(domain=False)
        ),
    )
    value, rest = f"{block.color}:Q", 1 - block.low
    colours = alt.Scale(
        domain=[block.low, block.low + 0.6 * rest, block.low + 0.9 * rest, 1.0],
        range=["#a84600", "#f0a35c", "#fdf0dc", "#9fcde9"],
        clamp=True,
        interpolate="rgb",
    )
    cells = base.mark_rect(stroke="white", strokeWidth=2, cornerRadius=3).encode(
        color=alt.Color(value, scale=colours, legend=None)
    )
    numbers = base.mark_text(fontSize=10 if dense else 13).encode(
        text=alt.Text("written:N") if dense else alt.Text(value, format=".1%"),
        color=alt.condition(alt.datum[block.color] < block.low + 0.24 * rest, alt.value("#ffffff"), alt.value(INK)),
    )
    cut = "floor(1000 * datum.share) / 10"  # never rounded up to 100
    share = f"datum['{block.color}']"
    written = f"{share} < 1 && {share} >= 0.99 ? format({cut}, '.1f') : format(floor(100 * datum.share), 'd')"
    return alt.layer(cells, numbers.transform_calculate(share=share).transform_calculate(written=written))


def _lines(block: Chart, frame: pl.DataFrame, known: list[str]) -> alt.LayerChart:
    """A share of 0 to 1 over an ordered `x`, such as runs; dotted lines where `mark` says that the measure changed."""
    x = alt.X(f"{block.x}:O", title=block.x_title or None, axis=alt.Axis(labelAngle=0, labelOverlap=True, domain=True))
    lines = (
        alt.Chart(frame, width=_width(block), height=210)
        .mark_line(point={"filled": True, "size": 45}, strokeWidth=2)
        .encode(
            x=x,
            y=alt.Y(
                f"{block.y}:Q",
                title=block.y_title or None,
                scale=alt.Scale(zero=False, nice=True),
                axis=alt.Axis(format=".1%", tickCount=5, domain=False),
            ),
            color=colour(block, frame, known),
        )
    )
    if block.mark is None:
        return alt.layer(lines)
    marked = frame.filter(pl.col(block.mark) > 0).unique(block.x, maintain_order=True)
    base = alt.Chart(marked).encode(x=x)
    rules = base.mark_rule(strokeDash=[3, 3], color=MUTED)
    told = base.mark_text(align="left", baseline="top", dx=5, fontSize=11, color=MUTED).encode(
        y=alt.value(0), text=alt.Text(f"{block.mark}:Q", format=",d")
    )
    return alt.layer(rules, told, lines)


def _histogram(block: Chart, frame: pl.DataFrame, known: list[str]) -> alt.Chart:
    """Columns over ready-made bins: `x` is the lower end of a bin one wide."""
    binned = _ranked(frame, block.color, known).with_columns((pl.col(block.x) + 1).alias("upper"))
    return (
        alt.Chart(binned, width=_width(block), height=210)
        .mark_bar(binSpacing=1)
        .encode(
            x=alt.X(f"{block.x}:Q", bin="binned", title=block.x_title or None, axis=alt.Axis(grid=False, tickCount=8)),
            x2="upper:Q",
            y=alt.Y(f"{block.y}:Q", title=block.y_title or None, axis=_counts(), stack="zero"),
            color=colour(block, frame, known),
            order=alt.Order("rank:Q"),
        )
    )


def _progress(block: Chart, frame: pl.DataFrame, known: list[str]) -> alt.Chart:
    """One full-width bar a row, parted by `color`: which share of a wave is in which state."""
    return (
        alt.Chart(_ranked(frame, block.color, known), width=_width(block), height=alt.Step(34))
        .mark_bar(height=20)
        .encode(
            x=alt.X(
                f"{block.x}:Q",
                stack="normalize",
                title=block.x_title or None,
                axis=alt.Axis(format=".0%", tickCount=5, domain=False),
            ),
            y=alt.Y(f"{block.y}:N", sort=_as_asked(frame, block.y), title=None, axis=alt.Axis(domain=False)),
            color=colour(block, frame, known),
            order=alt.Order("rank:Q"),
        )
    )

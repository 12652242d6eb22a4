"""Which colour a value has in the pictures: that of its meaning, else the next of the series."""

from __future__ import annotations

from typing import Any

import altair as alt
import polars as pl

from fonds.report.definition import Chart
from fonds.report.palette import BLUE, GREEN, GREY, ORANGE, PURPLE, RED, SKY

SERIES = (BLUE, ORANGE, GREEN, PURPLE, SKY, RED, GREY)
# words whose colour means the same on every page
MEANING = {
    "verified": GREEN,
    "sent": SKY,
    "planned": SKY,
    "open": GREY,
    "held": ORANGE,
    "failed": RED,
    "excluded": GREY,
    "link": GREEN,
    "review": ORANGE,
    "reject": GREY,
    "resolved-here": GREEN,
    "resolved-other-archive": BLUE,
    "dangling": RED,
    "block": RED,
    "critical": ORANGE,
    "major": BLUE,
    "minor": SKY,
    "info": GREY,
    "keep": GREEN,
    "drop-copy": GREY,
    "unite": BLUE,
    "inform": SKY,
    "hold": ORANGE,
    "remap": PURPLE,
    "certain": GREEN,
    "possible": ORANGE,
    "no": GREY,
    "study": BLUE,
    "report": GREEN,
    "order": ORANGE,
    "annotation": PURPLE,
    "plan": SKY,
    "dose or log": GREY,
    "rejection": RED,
}


def in_order(values: list[str]) -> list[str]:
    """Words with a meaning in the order of their seriousness, others by name: the order of legends and stacks."""
    place = {word: number for number, word in enumerate(MEANING)}
    return sorted(set(values), key=lambda value: (place.get(value, len(place)), value))


def values(block: Chart, frame: pl.DataFrame) -> list[str]:
    """The values of the colour column; none where colour is a share, or there is no such column."""
    if block.color is None or block.chart == "heatmap":
        return []
    return [str(value) for value in frame[block.color].unique().to_list()]


def colour(block: Chart, frame: pl.DataFrame, known: list[str]) -> Any:
    """Fixed colours for words with a meaning, the series in order for all others."""
    if block.color is None:
        return alt.value(BLUE)
    rest = iter(SERIES * (len(known) // len(SERIES) + 1))
    scale = alt.Scale(domain=known, range=[MEANING.get(value) or next(rest) for value in known])
    shown = in_order(values(block, frame))
    # one colour needs no legend, unless the colour is what the chart is about
    told = (len(shown) > 1 or block.chart == "progress") and block.color != block.y
    legend = alt.Legend(values=shown) if told else None
    return alt.Color(f"{block.color}:N", scale=scale, legend=legend)

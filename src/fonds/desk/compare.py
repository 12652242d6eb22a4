"""What makes two records comparable at a glance: differing characters, the evidence as bars, two timelines."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from datetime import date
from difflib import SequenceMatcher
from typing import Any

BAR_WIDTH = 280
TIMELINE_WIDTH, TIMELINE_EDGE = 860, 40
NETWORK_WIDTH, NETWORK_HEIGHT, NODE = 360, 300, 13  # NODE: radius of a record's circle


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of characters, and whether the other value has them at this place."""

    text: str
    same: bool


def pieces(a: str | None, b: str | None) -> tuple[list[Piece], list[Piece]]:
    """Both values cut where they differ."""
    left, right = a or "", b or ""
    first: list[Piece] = []
    second: list[Piece] = []
    for what, a1, a2, b1, b2 in SequenceMatcher(None, left, right, autojunk=False).get_opcodes():
        if a1 < a2:
            first.append(Piece(left[a1:a2], what == "equal"))
        if b1 < b2:
            second.append(Piece(right[b1:b2], what == "equal"))
    return first, second


def _says_nothing(step: dict[str, Any]) -> bool:
    return step.get("label") == "missing" and not step.get("a") and not step.get("b") and not step.get("weight")


def evidence(text: str | None) -> tuple[list[dict[str, Any]], list[str]]:
    """The comparisons of a pair with where each bar begins and ends, in pixels of a bar BAR_WIDTH wide.

    Bars start where the one before ended, so the last end is the sum: a waterfall. It begins with the prior, what is so
    before anything is compared. Weights are log2 of Bayes factors. Beside them the names of comparisons that neither
    record has a value for.
    """
    told: list[dict[str, Any]] = sorted(json.loads(text or "[]"), key=lambda step: step["comparison"] != "prior")
    for step in told:
        step["comparison"] = step["comparison"].replace("_", " ")
    unknown = [step["comparison"] for step in told if _says_nothing(step)]
    steps = [step for step in told if not _says_nothing(step)]
    ends, reached = [0.0], 0.0
    for step in steps:
        reached += float(step.get("weight") or 0.0)
        ends.append(reached)
    low, high = min(ends), max(ends)
    scale = BAR_WIDTH / max(high - low, 1e-6)  # weights of next to nothing make bars of next to nothing
    for step, before, after in zip(steps, ends, ends[1:], strict=False):
        step["x"] = round((min(before, after) - low) * scale, 1)
        step["width"] = round(max(abs(after - before) * scale, 1.0), 1)
        step["for"] = after >= before
    if steps:
        total = {"comparison": "sum", "weight": reached, "sum": True, "for": reached >= 0}
        total["x"] = round((min(0.0, reached) - low) * scale, 1)
        total["width"] = round(max(abs(reached) * scale, 1.0), 1)
        steps.append(total)
    zero = round(-low * scale, 1)
    return [{**step, "zero": zero} for step in steps], unknown


def timeline(first: list[dict[str, Any]], second: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Places of both records' studies on one axis of time; None when no study has a calendar date.

    A study whose date is no calendar date isn't drawn; it stands in the list below the drawing.
    """
    dated = [(row, _day(row["day"])) for row in (*first, *second)]
    days = [day for _, day in dated if day is not None]
    if not days:
        return None
    start, end = date(min(days).year, 1, 1), date(max(days).year + 1, 1, 1)
    span = (end - start).days

    def place(day: date) -> float:
        return round(TIMELINE_EDGE + (day - start).days / span * (TIMELINE_WIDTH - 2 * TIMELINE_EDGE), 1)

    years = list(range(start.year, end.year + 1))
    step = max(1, len(years) // 10)
    return {
        "width": TIMELINE_WIDTH,
        "rows": [
            [{"x": place(day), **row} for row in studies if (day := _day(row["day"])) is not None]
            for studies in (first, second)
        ],
        "years": [{"x": place(date(year, 1, 1)), "year": year} for year in years[::step]],
    }


def network(records: int, links: list[dict[str, Any]]) -> dict[str, Any]:
    """Records on an ellipse, numbered from 1 at its left end, and a line for each link (`a`, `b`: those numbers)."""
    across, down = NETWORK_WIDTH / 2 - NODE - 2, NETWORK_HEIGHT / 2 - NODE - 2
    angles = [math.pi + 2 * math.pi * place / records for place in range(records)]
    nodes = [
        {
            "number": number,
            "x": round(NETWORK_WIDTH / 2 + across * math.cos(angle), 1),
            "y": round(NETWORK_HEIGHT / 2 + down * math.sin(angle), 1),
        }
        for number, angle in enumerate(angles, 1)
    ]
    lines = [{**link, "from": nodes[link["a"] - 1], "to": nodes[link["b"] - 1]} for link in links]
    node = min(NODE, 400 // records)  # so that no two touch
    return {"width": NETWORK_WIDTH, "height": NETWORK_HEIGHT, "node": node, "nodes": nodes, "lines": lines}


def _day(text: str | None) -> date | None:
    try:
        return date.fromisoformat(text) if text and len(text) == 8 and text.isascii() and text.isdigit() else None
    except ValueError:
        return None

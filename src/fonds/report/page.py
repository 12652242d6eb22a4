"""Puts a report's sections into the one HTML page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from fonds.project.settings import Project
from fonds.report.charts import chart_svg
from fonds.report.definition import AnyBlock, Chart, Check, Figures, Report, Table
from fonds.report.tables import table_html

TEMPLATES = Path(__file__).parent / "templates"
UNITS = ("bytes", "kB", "MB", "GB", "TB", "PB")


def render(
    project: Project,
    report: Report,
    found: dict[str, pl.DataFrame],
    certificate: dict[str, Any],
    data_docs: str | None = None,
) -> str:
    """The page as text; `found` are the answers by query, `data_docs` the relative address of the Data Docs."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(number=number, size=size, paragraphs=paragraphs)
    colours = _colours(report, found)
    sections = [
        {
            "id": section.id,
            "title": section.title,
            "text": section.text,
            "blocks": [
                _block(block, found, colours, f"{section.id}-{place}") for place, block in enumerate(section.blocks)
            ],
        }
        for section in report.sections
    ]
    return environment.get_template("report.html").render(
        project=project.settings.name,
        title=report.title,
        intro=report.intro,
        sections=sections,
        certificate=certificate,
        as_of=max((run["ended"] for run in certificate["runs"]), default=None),
        data_docs=data_docs,
        css=Markup((TEMPLATES / "report.css").read_text(encoding="utf-8")),  # noqa: S704 - our own file
    )


def _colours(report: Report, found: dict[str, pl.DataFrame]) -> dict[str, list[str]]:
    """Every value a colour column has in any chart, by column: so a source has one colour throughout."""
    known: dict[str, set[str]] = {}
    for section in report.sections:
        for block in section.blocks:
            if isinstance(block, Chart) and block.color and block.chart != "heatmap":
                known.setdefault(block.color, set()).update(found[block.query][block.color].drop_nulls().to_list())
    return {name: sorted(values) for name, values in known.items()}


def _block(
    block: AnyBlock, found: dict[str, pl.DataFrame], colours: dict[str, list[str]], identifier: str
) -> dict[str, Any]:
    """A block as the template wants it: its kind, its caption and its content."""
    if block.kind == "certificate":
        return {"kind": "certificate"}
    frame = found[block.query]
    shown: dict[str, Any] = {"kind": block.kind, "caption": block.caption, "empty": block.empty, "rows": frame.height}
    if not frame.height:
        return {**shown, "kind": "empty"}
    match block:
        case Figures() | Check():
            shown["items"] = frame.to_dicts()
        case Chart():
            # vl-convert escapes the text it draws, Great Tables the cells it writes: both are markup from here on
            svg = chart_svg(block, frame, colours.get(block.color or ""))
            shown |= {"svg": Markup(svg), "width": block.width, "chart": block.chart}  # noqa: S704
        case Table():
            shown |= {"html": Markup(table_html(block, frame, identifier)), "more": frame.height - block.limit}  # noqa: S704
    return shown


def number(value: float | None) -> str:
    """12345 as 12,345; nothing as a dash."""
    return "–" if value is None else f"{value:,.0f}"


def size(value: float | None) -> str:
    """Bytes with a decimal unit: 1234567 as 1.2 MB."""
    if value is None:
        return "–"
    amount, unit = float(value), 0
    while amount >= 1000 and unit < len(UNITS) - 1:
        amount, unit = amount / 1000, unit + 1
    return f"{amount:,.0f} bytes" if unit == 0 else f"{amount:,.1f} {UNITS[unit]}"


def paragraphs(text: str) -> list[str]:
    """The paragraphs of a text: parted by empty lines."""
    return [" ".join(part.split()) for part in text.split("\n\n") if part.strip()]

"""Tables of the report: Great Tables writes the rows, the page's own style sheet dresses them."""

from __future__ import annotations

import re

import polars as pl
from great_tables import GT

from fonds.report.definition import Column, Table

# a status cell tells its value to the style sheet; only plain words do, so nothing needs escaping twice
STATUS = '(<td headers="(?:[^"]* )?{id}-{name}")([^>]*>)([a-z-]+)(?=</td>)'
# a keyword as long as a column breaks between its words; copied, it is whole
KEYWORD = '(<td headers="(?:[^"]* )?{id}-attribute"[^>]*>)([A-Za-z]+)(?=</td>)'
NUMERIC = ("whole", "share", "precise", "points", "bytes", "decimal")


def table_html(block: Table, frame: pl.DataFrame, identifier: str) -> str:
    """A `<table>` of the block's columns, every value escaped; the styles Great Tables adds are left out.

    `identifier` must be the same in every run: Great Tables would otherwise invent one.
    """
    shown = frame.head(block.limit)
    texts = [_as_text(column) for column in block.columns if column.format not in NUMERIC]
    names = [column.name for column in block.columns]
    group = [block.group] if block.group and block.group not in names else []
    made = GT(shown.select([*group, *names]).with_columns(texts), groupname_col=block.group, id=identifier)
    made = made.cols_label({column.name: column.label for column in block.columns if column.name != block.group})
    for column in block.columns:
        made = _formatted(made, column)
    html = str(made.sub_missing(missing_text="–").as_raw_html())
    table = html[html.index("<table") : html.index("</table>") + len("</table>")]
    for column in block.columns:
        if column.format == "status":
            pattern = STATUS.format(id=re.escape(identifier), name=re.escape(column.name))
            table = re.sub(pattern, r'\1 data-status="\3"\2<span>\3</span>', table)
    table = re.sub(KEYWORD.format(id=re.escape(identifier)), _breakable, table)
    return table.replace("<table ", f'<table id="{identifier}" ', 1)


def _breakable(cell: re.Match[str]) -> str:
    return cell[1] + re.sub(r"(?<=[a-z])(?=[A-Z])", "<wbr>", cell[2])


def _as_text(column: Column) -> pl.Expr:
    value = pl.col(column.name)
    if column.format == "list":
        return value.list.join(", ")
    if column.format == "date":
        text = value.cast(pl.String)
        return (
            pl.when(text.str.contains(r"^\d{8}$"))
            .then(text.str.replace(r"^(\d{4})(\d{2})(\d{2})$", "$1-$2-$3"))
            .otherwise(text)
            .alias(column.name)
        )
    return value.cast(pl.String)


def _formatted(made: GT, column: Column) -> GT:
    match column.format:
        case "whole":
            return made.fmt_integer(column.name)
        case "share" | "precise":
            return made.fmt_percent(column.name, decimals=1 if column.format == "share" else 2)
        case "points":
            # a difference of two shares, in percentage points
            return made.fmt_number(column.name, decimals=2, scale_by=100, force_sign=True)
        case "decimal":
            return made.fmt_number(column.name, decimals=2)
        case "bytes":
            return made.fmt_bytes(column.name, decimals=1)
        case _:
            return made

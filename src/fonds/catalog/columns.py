"""What tables are made of: the kinds of columns, those that many tables begin with, and a table itself."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

TEXT, WHOLE, REAL, FLAG = pl.String(), pl.Int64(), pl.Float64(), pl.Boolean()
TEXTS = pl.List(pl.String())
REFERENCES = pl.List(
    pl.Struct(
        {
            "carrier": TEXT,
            "relation": TEXT,
            "study_uid": TEXT,
            "series_uid": TEXT,
            "sop_class_uid": TEXT,
            "sop_uid": TEXT,
            "frame_of_reference_uid": TEXT,
        }
    )
)
OTHER_IDS = pl.List(pl.Struct({"id": TEXT, "issuer": TEXT, "type": TEXT}))


@dataclass(frozen=True, slots=True)
class Table:
    """A table: what a row is, its key, and its columns as {name: (type, meaning)}."""

    name: str
    row: str
    key: tuple[str, ...]
    columns: dict[str, tuple[pl.DataType, str]]

    @property
    def schema(self) -> dict[str, pl.DataType]:
        """Column types in order."""
        return {name: kind for name, (kind, _) in self.columns.items()}


SOURCE = {"source": (TEXT, "archive the row comes from, a name in fonds.yaml")}
PLACE = {**SOURCE, "location": (TEXT, "path below the source's root; `a.zip!member` for members")}

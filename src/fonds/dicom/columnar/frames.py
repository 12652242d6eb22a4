"""From the kernel's tables to a frame with the columns of `Header.row()`: set at a time, by Arrow and Polars."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
import pyarrow as pa

from fonds.dicom.columnar.pixels import BROKEN, MISMATCH, NO_DELIMITER
from fonds.dicom.columnar.plan import RELATION_NAMES, SEQUENCE_TAGS, Bytes, Ints, Layout
from fonds.dicom.columnar.sheet import (
    CELLS,
    CONTEXT_ENTRY,
    FACTS,
    HEADER_LENGTH,
    NOTES,
    ORIGINAL,
    OTHER_IDS,
    PARTIAL,
    PATHS,
    PIXEL_LENGTH,
    REFERENCES,
    REQUESTS,
    ROWS,
    SYNTAX_NUMBER,
    Growing,
    Sheet,
)
from fonds.dicom.columnar.texts import Texts
from fonds.dicom.relations import CONCATENATION, keyword_of

STATUSES = ("ok", "partial")
_SEEN = {NO_DELIMITER: "no_sequence_delimiter", BROKEN: "fragments_broken", MISMATCH: "syntax_mismatch"}
_NOTE_TEXTS = tuple(
    "; ".join(text for bit, text in _SEEN.items() if bits & bit) or None for bits in range(2 * max(_SEEN))
)
_REFERENCE = ("carrier", "relation", "study_uid", "series_uid", "sop_class_uid", "sop_uid", "frame_of_reference_uid")


def frame(layout: Layout, sheet: Sheet, out: Growing, default_charset: str | None) -> pl.DataFrame:
    """One row for each object taken."""
    rows = int(out.used[ROWS])
    texts = Texts(out, default_charset)
    cells = out.cells[: int(out.used[CELLS])]
    row, column, number = cells.T
    sheet.views[column, row] = texts.views[number]
    sheet.valid[column, row] = texts.valid[number]
    doubtful = cells[texts.doubtful[number]]
    stored = [texts.stored[entry] for entry in doubtful[:, 2].tolist()]
    valid = np.packbits(sheet.valid[:, :rows], axis=1, bitorder="little")
    numbers = sheet.rows[:rows]
    facts, pixels = numbers[:, FACTS:], numbers[:, PIXEL_LENGTH]
    columns: dict[str, pa.Array] = {
        "header_length": pa.array(numbers[:, HEADER_LENGTH]),
        "read_status": _chosen(STATUSES, numbers[:, PARTIAL]),
        "read_note": _chosen(_NOTE_TEXTS, numbers[:, NOTES]),
        "transfer_syntax": _chosen(layout.syntaxes, numbers[:, SYNTAX_NUMBER]),
        "charset_used": _chosen(*texts.charsets(numbers[:, CONTEXT_ENTRY])),
        "doubtful": _lists(doubtful[:, 0], rows, _chosen(layout.columns, doubtful[:, 1])),
        "doubtful_bytes": _lists(doubtful[:, 0], rows, pa.array(stored, pa.string())),
        "digest_object": pa.nulls(rows, pa.string()),
        "digest_header": pa.nulls(rows, pa.string()),
        "digest_pixels": pa.nulls(rows, pa.string()),
        "pixel_length": pa.array(pixels, mask=pixels < 0),
        **{
            word: texts.strings(sheet.views[index, :rows], valid[index])
            for index, word in enumerate(layout.columns)
        },
        "RequestAccessionNumbers": _requests(out, rows, texts),
        "OtherPatientIDsItems": _other_ids(out, rows, texts),
        "IssuerQualifiersEntityID": texts.of(facts[:, 0]),
        "IssuerQualifiersEntityType": texts.of(facts[:, 1]),
        "IssuerOfAccessionNumberEntityID": texts.of(texts.first_said(facts[:, 2], facts[:, 3])),
        "HasOriginalAttributes": pa.array(numbers[:, ORIGINAL].astype(bool)),
        "DocumentTitleCode": texts.of(texts.first_said(texts.first_said(facts[:, 4], facts[:, 5]), facts[:, 6])),
        "references": _references(out, rows, texts),
    }  # fmt: skip
    table = pa.Table.from_arrays(list(columns.values()), names=[str(name) for name in columns])
    found = pl.from_arrow(table)
    assert isinstance(found, pl.DataFrame)
    return found.with_columns(_distinct_requests(out))


def _chosen(texts: Sequence[str | None], which: Ints | Bytes) -> pa.Array:
    return pa.array([None if text is None else str(text) for text in texts], pa.string()).take(pa.array(which))


def _lists(row: Ints, rows: int, values: pa.Array) -> pa.Array:
    """Values in the order of their rows (`row` rises) as one list a row."""
    counts = np.bincount(row, minlength=rows) if rows else np.zeros(0, dtype=np.int64)
    offsets = np.concatenate((np.zeros(1, dtype=np.int64), np.cumsum(counts)))
    return pa.LargeListArray.from_arrays(pa.array(offsets), values)


def _requests(out: Growing, rows: int, texts: Texts) -> pa.Array:
    found = out.requests[: int(out.used[REQUESTS])]
    found = found[texts.lengths[found[:, 1]] > 0]  # absent ones and empty ones don't count
    return _lists(found[:, 0], rows, texts.of(found[:, 1]))


def _distinct_requests(out: Growing) -> list[pl.Expr]:
    # most objects have one at most, and then there is nothing to do
    row = out.requests[: int(out.used[REQUESTS]), 0]
    several = bool((row[1:] == row[:-1]).any())
    return [pl.col("RequestAccessionNumbers").list.unique(maintain_order=True)] if several else []


def _other_ids(out: Growing, rows: int, texts: Texts) -> pa.Array:
    found = out.other_ids[: int(out.used[OTHER_IDS])]
    fields = [texts.of(found[:, place]) for place in (1, 2, 3)]
    return _lists(found[:, 0], rows, pa.StructArray.from_arrays(fields, ["id", "issuer", "type"]))


def _references(out: Growing, rows: int, texts: Texts) -> pa.Array:
    found = out.references[: int(out.used[REFERENCES])]
    carriers: list[str] = []
    # paths are as many as the ways sequences nest in an archive: few
    for outer, sequence in out.paths[: int(out.used[PATHS])].tolist():
        word = keyword_of(SEQUENCE_TAGS[sequence] if sequence >= 0 else CONCATENATION)
        carriers.append(f"{carriers[outer]}.{word}" if outer >= 0 else word)
    fields = [_chosen(carriers, found[:, 1]), _chosen(RELATION_NAMES, found[:, 2])]
    fields += [texts.of(found[:, place]) for place in (3, 4, 7, 6, 5)]
    return _lists(found[:, 0], rows, pa.StructArray.from_arrays(fields, _REFERENCE))

"""The two ways to a row, one object at a time and thousands at once, as parameters of the same tests."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from io import BytesIO
from typing import Any

import numpy as np

from fonds.dicom.columnar import STRIDES, located, read_columns
from fonds.errors import UnreadableHeader
from tests.dicom.made import WORDS, read

Answer = dict[str, Any] | UnreadableHeader | None
"""A row, the reason why there is none, or None: this way doesn't take the object."""
Reader = Callable[[Sequence[bytes]], list[Answer]]


def one_by_one(objects: Sequence[bytes], default_charset: str | None = None) -> list[Answer]:
    """By `read_header`, which takes everything."""
    return [_row(data, default_charset) for data in objects]


def _row(data: bytes, default_charset: str | None) -> Answer:
    try:
        return read(data, digest=False, default_charset=default_charset).row()
    except UnreadableHeader as error:
        return error


def at_once(objects: Sequence[bytes], default_charset: str | None = None) -> list[Answer]:
    """By `read_columns`, with the bytes the crawl gives it: the first stride of all, the next of those that go on."""
    answers: list[Answer] = [None] * len(objects)
    left = np.arange(len(objects))
    for stride in STRIDES:
        if not left.size:
            break
        heads = np.full((len(left), stride), 0xEE, dtype=np.uint8)  # never zeros: what lies behind isn't the object's
        sizes = np.array([len(objects[number]) for number in left])
        for row, number in enumerate(left):
            head = objects[number][:stride]
            heads[row, : len(head)] = np.frombuffer(head, dtype=np.uint8)
        found = read_columns(heads, np.minimum(sizes, stride), sizes, WORDS, default_charset=default_charset)
        for row, number in zip(found.frame.rows(named=True), left[found.taken], strict=True):
            answers[number] = row
        for number in left[found.look]:
            row = answers[number]
            assert isinstance(row, dict)
            told = located(BytesIO(objects[number]), row["header_length"], row["transfer_syntax"])
            row["pixel_length"], row["read_status"], row["read_note"] = told
        assert sorted([*found.taken, *found.short, *found.odd]) == list(range(len(left)))
        left = left[found.short]
    return answers


READERS: dict[str, Reader] = {"one_by_one": one_by_one, "at_once": at_once}

"""Rows against pydicom, value by value: its wheel, the sample hospitals, and generated objects of every encoding.

Explained differences, nothing else may differ:

- spaces and NULs at the end of a value, around decimal strings and application entities, '=' at the end of a name
  (`oracle.comparable`)
- a value pydicom's types refuse (57.6 as IS) is catalogued by its bytes
- an object cut off inside an element is `unreadable` with the place; pydicom returns what came before in silence
- the halves of a GBK character may be a backslash's byte: pydicom splits the value there (one test below)
- an object whose meta claims another syntax is read as it is, and held against the object with the right claim
"""

from __future__ import annotations

from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.datadict import dictionary_VR

from fonds.dicom.parsed import wanted
from fonds.errors import UnreadableHeader
from tests.crawl.made_files import Encoding, image, part10
from tests.dicom.generated import objects
from tests.dicom.made import WORDS, wheel_files
from tests.dicom.oracle import comparable, pointed_at, said
from tests.dicom.readers import READERS, Reader, at_once, one_by_one

SAMPLES = Path(__file__).parents[2] / "data_samples" / "small"
# cut off inside an element: pydicom hands out what came before it
CUT = {"rtplan_truncated.dcm", "0000005-1-ES1-0003.dcm", "0000035-0-ES1-0003.dcm"}


def real_files() -> list[Path]:
    return [*wheel_files(), *(path for path in sorted(SAMPLES.rglob("*")) if path.is_file())]


@cache
def real_answers() -> list[dict[str, Any] | None]:
    """What pydicom says of each real file; None for what it refuses."""
    answers: list[dict[str, Any] | None] = []
    for path in real_files():
        try:
            answers.append(said(path.read_bytes(), WORDS))
        except (pydicom.errors.InvalidDicomError, EOFError):
            answers.append(None)
    return answers


def differences(row: dict[str, Any], theirs: dict[str, Any]) -> list[tuple[str, Any, Any]]:
    """Columns where the row says other than pydicom."""
    found = []
    for column, value in theirs.items():
        ours = row[column]
        if column in WORDS:
            vr = dictionary_VR(column)[:2]
            same = comparable(ours, vr) == comparable(value, vr)
        else:
            same = without_blanks(ours) == without_blanks(value)
        if not same:
            found.append((column, ours, value))
    return found


def without_blanks(value: Any) -> Any:
    """Nested texts as `comparable` has them; no items and no sequence are the same."""
    if isinstance(value, dict):
        return {name: without_blanks(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [without_blanks(inner) for inner in value] or None
    return "\\".join(comparable(value, "LO")) or None if isinstance(value, str) else value


@pytest.fixture(params=READERS.values(), ids=READERS.keys())
def reader(request: pytest.FixtureRequest) -> Reader:
    return request.param  # type: ignore[no-any-return]


def test_every_real_file_says_what_pydicom_says(reader: Reader) -> None:
    files = real_files()
    contents = [path.read_bytes() for path in files]
    outcomes: Counter[str] = Counter()
    values = 0
    for path, data, theirs, answer in zip(files, contents, real_answers(), reader(contents), strict=True):
        has_any = theirs is not None and any(theirs[word] for word in WORDS)
        if isinstance(answer, UnreadableHeader):
            outcomes[answer.reason] += 1
            assert not has_any or path.name in CUT, path
        elif answer is None:
            outcomes["not taken"] += 1
        else:
            assert theirs is not None
            assert not differences(answer, theirs), path
            references = {reference["sop_uid"] for reference in answer["references"]} - {None}
            assert references <= pointed_at(data), path
            outcomes["row"] += 1
            values += sum(theirs[word] is not None for word in WORDS)
    assert outcomes["row"] > 700
    assert values > 25_000


META = {"transfer_syntax", *(word for word, tag, _ in wanted(WORDS).attributes if tag >> 16 == 2)}


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(objects(), min_size=1, max_size=4))
def test_every_generated_object_says_what_pydicom_says(made: list[tuple[bytes, bytes]]) -> None:
    for reader in READERS.values():
        for (data, right), answer in zip(made, reader([data for data, _ in made]), strict=True):
            assert not isinstance(answer, UnreadableHeader), answer
            if answer is not None:
                theirs = said(right, WORDS)
                if data != right:  # no meta, or another claim in it
                    theirs = {column: theirs[column] for column in theirs if column not in META}
                assert not differences(answer, theirs)


def test_the_half_of_a_character_is_no_separator() -> None:
    name = "丂^誠"  # both hold a byte 5C in GBK, where pydicom splits the value
    raw = name.encode("gbk")
    assert b"\\" in raw
    data = part10(image(SpecificCharacterSet=b"GBK ", PatientName=raw), Encoding())
    for reader in READERS.values():
        [answer] = reader([data])
        assert answer is None or (isinstance(answer, dict) and answer["PatientName"] == name)


def test_both_ways_give_the_same_row_of_every_real_file() -> None:
    ways = same_rows([path.read_bytes() for path in real_files()])
    assert ways["taken"] >= 850
    assert ways["not taken"] <= 30


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(objects(), min_size=1, max_size=4), st.sampled_from([None, "ISO_IR 100", "ISO_IR 192", "GBK"]))
def test_both_ways_give_the_same_row_of_generated_objects(made: list[tuple[bytes, bytes]], default: str | None) -> None:
    same_rows([data for data, _ in made], default)


def same_rows(contents: list[bytes], default: str | None = None) -> Counter[str]:
    """Hold the rows of the fast way against those of the other, column by column; counts what the fast way takes."""
    ways: Counter[str] = Counter()
    for fast, slow in zip(at_once(contents, default), one_by_one(contents, default), strict=True):
        if fast is None:
            ways["unreadable" if isinstance(slow, UnreadableHeader) else "not taken"] += 1
            continue
        assert isinstance(fast, dict)
        assert isinstance(slow, dict), slow
        assert fast.keys() == slow.keys()
        different = [(column, fast[column], slow[column]) for column in fast if fast[column] != slow[column]]
        assert not different
        ways["taken"] += 1
    return ways

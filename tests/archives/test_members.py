"""Members of containers: each exactly one answer, bytes exact, in one pass and by location; damage ends in a reason."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import pickle
import re
import tarfile
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fonds.archives.folder import FolderSource
from fonds.archives.inflating import Marks, MemberBroken, inflate
from fonds.archives.members import HEAD, Member, kind_of, members, open_member
from fonds.archives.naming import unescape

CT = (Path(pydicom.__file__).parent / "data" / "test_files" / "CT_small.dcm").read_bytes()
FILES = {"dir/m.dcm": CT, "note.txt": b"nothing to see", "empty": b"", "ü b!": CT[:5000]}


def a_zip(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as file:
        for name, data in files.items():
            file.writestr(name, data)
    return out.getvalue()


def a_tar(files: dict[str, bytes], kind: int = tarfile.PAX_FORMAT) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=kind) as file:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            file.addfile(info, io.BytesIO(data))
    return out.getvalue()


def seen(data: bytes, name: str = "c") -> list[Member]:
    """All members, their streams read to the end in between."""
    found = []
    for member in members(io.BytesIO(data), name):
        if member.stream is not None:
            assert member.stream.seek(0, 2) == member.size
            member.stream.seek(0)
            member.message = member.stream.read().hex()
        found.append(member)
    return found


def contents(data: bytes) -> dict[str, bytes]:
    return {m.location.partition("!")[2]: bytes.fromhex(m.message) for m in seen(data) if m.stream is not None}


def problems(data: bytes) -> dict[str, str | None]:
    return {m.location: m.problem for m in seen(data) if m.problem is not None}


PACKED: dict[str, Callable[[], bytes]] = {
    "zip": lambda: a_zip(FILES),
    "stored zip": lambda: a_zip(FILES, zipfile.ZIP_STORED),
    "bzip2 zip": lambda: a_zip(FILES, zipfile.ZIP_BZIP2),
    "tar": lambda: a_tar(FILES),
    "gnu tar": lambda: a_tar(FILES, tarfile.GNU_FORMAT),
    "tar.gz": lambda: gzip.compress(a_tar(FILES)),
    "tar.gz in two streams": lambda: gzip.compress(a_tar(FILES)[:3000]) + gzip.compress(a_tar(FILES)[3000:]) + bytes(9),
    "tar.bz2": lambda: bz2.compress(a_tar(FILES)),
    "tar.xz": lambda: lzma.compress(a_tar(FILES)),
}
KINDS = {"zip": "zip", "tar": "tar", "gz": "gzip", "bz2": "bzip2", "xz": "xz"}


@pytest.mark.parametrize("name", PACKED)
def test_every_member_comes_once_with_its_bytes_and_can_be_opened_by_its_location(name: str) -> None:
    data = PACKED[name]()
    kind = kind_of(data[:HEAD])
    assert kind == KINDS[re.findall("zip$|tar$|gz|bz2|xz", name)[-1]]
    first, *rest = seen(data)
    assert (first.location, first.container, first.problem) == ("c", kind, None)
    assert {unescape(m.location.removeprefix("c!")): bytes.fromhex(m.message) for m in rest} == FILES
    for member in rest:
        with open_member(io.BytesIO(data), member.location) as stream:
            stream.seek(1)
            assert stream.read() == FILES[unescape(member.location.removeprefix("c!"))][1:]
    with pytest.raises(FileNotFoundError):
        open_member(io.BytesIO(data), "c!gone")


def test_reading_back_and_forth_gives_the_same_bytes() -> None:
    data = CT + bytes(range(256)) * 9000
    for packed in (a_zip({"m": data}), gzip.compress(a_tar({"m": data})), lzma.compress(a_tar({"m": data}))):
        with open_member(io.BytesIO(packed), "c!m") as stream:
            for place in (0, 2_000_000, 5, len(data) - 3, 1_500_000, len(data) - 70_000):
                stream.seek(place)
                assert stream.read(100_000) == data[place : place + 100_000]


def test_going_back_in_a_long_gzip_starts_at_a_mark() -> None:
    data = b"".join(number.to_bytes(4, "big") * 250 for number in range(10_000))
    packed, marks = gzip.compress(data), Marks(step=1_000_000)
    stream = inflate(io.BytesIO(packed), "gzip", 10**9, marks=marks)
    stream.seek(9_999_000)
    assert stream.read() == data[9_999_000:]
    assert [out for out, _, _ in marks.places] == sorted(out for out, _, _ in marks.places)
    assert len(marks.places) in (9, 10)
    for place in (5_500_000, 0, 8_000_001):
        stream.seek(place)
        assert stream.read(5000) == data[place : place + 5000]


def test_one_object_in_gzip_is_a_member_named_as_the_file_without_its_ending() -> None:
    assert [(m.location, m.container, m.size) for m in seen(gzip.compress(CT), "d/x.dcm.gz")] == [
        ("d/x.dcm.gz", "gzip", len(gzip.compress(CT))),
        ("d/x.dcm.gz!x.dcm", None, len(CT)),
    ]
    with open_member(io.BytesIO(gzip.compress(CT)), "d/x.dcm.gz!x.dcm") as stream:
        assert stream.read() == CT


def test_containers_in_containers_to_a_depth_and_no_further() -> None:
    third = a_zip({"m": CT, "fourth.zip": a_zip({"n": CT})})
    data = a_zip({"second.tar.gz": gzip.compress(a_tar({"third.zip": third}))})
    found = {m.location: m.container or m.problem for m in seen(data)}
    assert found == {
        "c": "zip",
        "c!second.tar.gz": "gzip",
        "c!second.tar.gz!third.zip": "zip",
        "c!second.tar.gz!third.zip!m": None,
        "c!second.tar.gz!third.zip!fourth.zip": "nested_too_deep",
    }
    with open_member(io.BytesIO(data), "c!second.tar.gz!third.zip!m") as stream:
        assert stream.read() == CT


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("pack", ["zip", "tar"])
def test_two_members_of_one_name_are_two(pack: str) -> None:
    out = io.BytesIO()
    names = {"x": b"1", "x ": b"2", "x#2": b"3"}
    if pack == "zip":
        with zipfile.ZipFile(out, "w") as file:
            for name, data in [*names.items(), ("x", b"4")]:
                file.writestr(name, data)
        data = out.getvalue()
    else:
        with tarfile.open(fileobj=out, mode="w") as file:
            for name, data in [*names.items(), ("x", b"4")]:
                info = tarfile.TarInfo(name)
                info.size = 1
                file.addfile(info, io.BytesIO(data))
        data = out.getvalue()
    assert contents(data) == {"x": b"1", "x ": b"2", "x\\x232": b"3", "x#2": b"4"}
    assert open_member(io.BytesIO(data), "c!x#2").read() == b"4"
    assert open_member(io.BytesIO(data), "c!x\\x232").read() == b"3"


def test_names_that_want_out_are_only_names() -> None:
    names = ("../../etc/passwd", "/abs", "C:\\x", "a\nb")
    for data in (a_zip(dict.fromkeys(names, b"x")), a_tar(dict.fromkeys(names, b"x"))):
        found = [m.location for m in seen(data)][1:]
        assert [unescape(location.removeprefix("c!")) for location in found] == list(names)


def test_what_a_tar_file_holds_beside_files_is_said() -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as file:
        for name, kind in (("d", tarfile.DIRTYPE), ("s", tarfile.SYMTYPE), ("h", tarfile.LNKTYPE), ("p", b"6")):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "m"
            file.addfile(info)
        info = tarfile.TarInfo("part")
        info.type = b"M"
        file.addfile(info)
    found = {m.location: (m.problem, m.message) for m in seen(out.getvalue())[1:]}
    assert {place: problem for place, (problem, _) in found.items()} == {
        "c!s": "not_dicom",
        "c!h": "not_dicom",
        "c!p": "not_dicom",
        "c!part": "container_damaged",
    }
    assert "symbolic link" in found["c!s"][1]
    assert "hard link" in found["c!h"][1]
    assert "named pipe" in found["c!p"][1]


def test_members_that_cannot_be_read_have_a_reason_and_the_others_are_read() -> None:
    data = bytearray(a_zip({"secret": CT, "odd": CT, "m": CT}))
    first = data.index(b"PK\x01\x02")
    second = data.index(b"PK\x01\x02", first + 1)
    data[first + 8] |= 1
    data[second + 10 : second + 12] = (9).to_bytes(2, "little")
    assert problems(bytes(data)) == {"c!secret": "encrypted", "c!odd": "unsupported_compression"}
    assert contents(bytes(data)) == {"m": CT}
    for name, reason in (("secret", "encrypted"), ("odd", "unsupported_compression")):
        with pytest.raises(MemberBroken) as caught:
            open_member(io.BytesIO(bytes(data)), f"c!{name}")
        assert pickle.loads(pickle.dumps(caught.value)).reason == reason


def test_a_changed_byte_in_a_stored_member_is_seen_when_it_is_read() -> None:
    data = bytearray(a_zip({"m": CT}, zipfile.ZIP_STORED))
    data[len(CT) // 2] ^= 1
    with open_member(io.BytesIO(bytes(data)), "c!m") as stream, pytest.raises(MemberBroken, match="checksum"):
        stream.read()


def test_cut_containers_end_in_a_reason_at_the_container_or_where_it_ends() -> None:
    assert problems(a_zip(FILES)[:-30]) == {"c": "container_damaged"}
    assert problems(gzip.compress(CT)[:9000]) == {"c": "container_damaged"}
    assert problems(b"PK\x07\x08" + a_zip(FILES)[:400]) == {"c": "container_damaged"}
    whole = a_tar({"a": CT, "b": CT})
    cut = whole[: len(CT) + 512 + 511]
    assert problems(cut + b"x" * 2000) == {"c!": "container_damaged"}
    packed = gzip.compress(a_tar({"a": CT, "b": bytes(300_000)}))
    walked = [(m.location, m.problem) for m in members(io.BytesIO(packed[:-30]), "c")]
    assert walked[:2] == [("c", None), ("c!a", None)]
    assert walked[-1] == ("c!", "container_damaged")


def test_what_inflates_to_far_more_than_is_stored_is_left_early(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fonds.archives.members._LEAST_LIMIT", 1_000_000)
    bomb = gzip.compress(bytes(20_000_000))
    assert problems(bomb) == {"c": "too_large"}
    read = io.BytesIO(a_zip({"bomb": bytes(20_000_000), "m": CT}))
    heads = {m.location: m.stream.read(100) for m in members(read, "c") if m.stream is not None}
    assert heads == {"c!bomb": bytes(100), "c!m": CT[:100]}


def test_a_tar_header_that_declares_a_name_of_gigabytes_is_not_followed() -> None:
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 5_000_000_000
    data = a_tar({"a": CT})
    end = 512 + (len(CT) + 511) // 512 * 512
    assert problems(data[:end] + info.tobuf(tarfile.GNU_FORMAT) + bytes(5000)) == {"c!": "container_damaged"}


def test_an_office_document_is_one_file_unless_something_in_it_is_dicom() -> None:
    parts = {"[Content_Types].xml": b"<xml/>" * 50, "word/document.xml": b"<xml/>" * 50}
    assert [(m.location, m.problem) for m in seen(a_zip(parts))] == [("c", "not_dicom")]
    assert contents(a_zip({**parts, "word/embedded": CT}))["word/embedded"] == CT


def test_other_files_are_no_containers() -> None:
    for head in (CT, b"", b"PK", b"BZh but a text", bytes(600), b"\x1f\x8b", b"P" + CT[1:]):
        assert kind_of(head[:HEAD]) is None
    v7 = bytearray(a_tar({"m": CT}, tarfile.USTAR_FORMAT))
    v7[257:512] = bytes(255)
    v7[148:156] = b"%06o\0 " % (sum(v7[:148]) + 256 + sum(v7[156:512]))
    assert kind_of(bytes(v7[:HEAD])) == "tar"
    assert kind_of(b"PK\x03\x04" + bytes(124) + b"DICM") is None


SMALL = [
    a_zip({"a": CT[:900], "b": b"x" * 3000}),
    a_tar({"a": CT[:900], "b": b"x" * 3000}),
    gzip.compress(a_tar({"a": b"x"})),
]


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(SMALL), st.integers(0, 5000), st.binary(min_size=1, max_size=6))
def test_any_damage_ends_in_members_or_reasons(data: bytes, place: int, damage: bytes) -> None:
    place %= len(data)
    broken = data[:place] + damage + data[place + len(damage) :]
    if kind_of(broken[:HEAD]) is None:
        return
    found = []
    for member in members(io.BytesIO(broken), "c"):
        found.append(member.location)
        if member.stream is not None:
            with suppress(MemberBroken):
                member.stream.read()
    assert len(found) == len(set(found))


def test_a_folder_source_opens_members_and_reads_their_heads(tmp_path: Path) -> None:
    (tmp_path / "a!b.zip").write_bytes(a_zip(FILES))
    source = FolderSource("s", tmp_path)
    (found,) = source.list()
    location = f"{found.location}!dir/m.dcm"
    with source.open(location) as stream:
        assert stream.read() == CT
    into = bytearray(300)
    assert list(source.heads([location, found.location, f"{found.location}!note.txt"], memoryview(into)))[:2] == [
        100,
        100,
    ]
    assert into[:100] == CT[:100]
    assert into[200:214] == b"nothing to see"

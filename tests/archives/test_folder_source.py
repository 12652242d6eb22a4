"""The folder source: everything listed once, in order, under names that can be reversed."""

from __future__ import annotations

import os
import pickle
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fonds.archives.folder import FolderSource
from fonds.archives.naming import escape, unescape
from fonds.errors import ArchiveUnreachable


def locations(root: Path) -> list[str]:
    return [file.location for file in FolderSource("s", root).list()]


def test_files_of_all_names_in_a_stable_order(tmp_path: Path) -> None:
    for name in ("b/2", "b/1", "a.dcm", "no extension", "b/.hidden", "ä/ü"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"12345")
    assert locations(tmp_path) == ["a.dcm", "no extension", "b/.hidden", "b/1", "b/2", "ä/ü"]
    found = next(FolderSource("s", tmp_path).list())
    about = (tmp_path / "a.dcm").stat()
    assert (found.size, found.mtime_ns, found.problem) == (5, about.st_mtime_ns, None)


def test_names_that_are_not_text_are_listed_and_opened(tmp_path: Path) -> None:
    for name in (b"caf\xe9.dcm", b"back\\slash", b"\xff\xfe"):
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)).write_bytes(name)
    source = FolderSource("s", tmp_path)
    found = sorted(file.location for file in source.list())
    assert found == ["\\xff\\xfe", "back\\\\slash", "caf\\xe9.dcm"]
    for location in found:
        location.encode("utf-8")
        with source.open(location) as stream:
            assert stream.read() == os.fsencode(unescape(location))


@given(st.binary(min_size=1, max_size=30))
def test_escaping_is_reversible(name: bytes) -> None:
    text = os.fsdecode(name)
    escaped = escape(text)
    assert escaped.encode("utf-8")
    assert unescape(escaped) == text


def test_loops_and_broken_links_end(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "file").write_bytes(b"x")
    (tmp_path / "a" / "up").symlink_to(tmp_path)
    (tmp_path / "again").symlink_to(tmp_path / "a")
    (tmp_path / "nowhere").symlink_to(tmp_path / "gone")
    found = {file.location: file.problem for file in FolderSource("s", tmp_path).list()}
    assert found == {"a/file": None, "nowhere": "io_error"}


def test_a_root_that_is_not_there_or_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    for root in (tmp_path / "gone", tmp_path / "file"):
        with pytest.raises(ArchiveUnreachable, match=r"fonds\.yaml"):
            locations(root)


def test_special_files_are_named_and_never_opened_and_skipped_folders_left_out(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as served:
        served.bind(str(tmp_path / "socket"))
    (tmp_path / "zero").symlink_to("/dev/zero")
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "x").write_bytes(b"x")
    found = {f.location: (f.problem, f.message) for f in FolderSource("s", tmp_path, frozenset({"__pycache__"})).list()}
    assert found == {
        "pipe": ("not_dicom", "a named pipe, which is never opened"),
        "socket": ("not_dicom", "a socket, which is never opened"),
        "zero": ("not_dicom", "a device, which is never opened"),
    }


def test_it_travels_to_a_worker(tmp_path: Path) -> None:
    source = FolderSource("s", tmp_path)
    assert pickle.loads(pickle.dumps(source)) == source

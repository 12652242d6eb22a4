"""Object storage over HTTP: any key, page by page, headers by ranges only, and errors that name no key."""

from __future__ import annotations

import io
import pickle
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pydicom
import pytest

from fonds.archives import buckets
from fonds.archives.naming import unescape
from fonds.archives.objectstore import ObjectStoreSource
from fonds.dicom.headers import read_header
from fonds.errors import ArchiveUnreachable
from tests.archives.object_server import ObjectServer, object_server

CT = (Path(pydicom.__file__).parent / "data" / "test_files" / "CT_small.dcm").read_bytes()
ODD = ("a b.dcm", "/lead", "x//y", "ü/ß!.dcm", "tail/", "q?x=1#y", "..", "%41", "back\\s")


@pytest.fixture(scope="module")
def server() -> Iterator[ObjectServer]:
    with object_server() as running:
        yield running


def test_any_key_is_listed_in_order_and_read(server: ObjectServer) -> None:
    server.fill("odd", {key: key.encode() * 9 for key in ODD})
    server.fill("odd", {"folder/": b"", "folder/empty": b""})
    source = server.source("odd")
    found = {file.location: file.size for file in source.list()}
    keys = sorted((*ODD, "folder/empty"), key=str.encode)
    assert [unescape(location) for location in found] == keys
    for location, size in found.items():
        with source.open(location) as stream:
            assert stream.read() == unescape(location).encode() * (9 if size else 0)
    into = memoryview(bytearray(8 * (len(found) + 1)))
    *came, gone = source.heads([*found, "gone"], into)
    assert came == [min(8, size) for size in found.values()]
    assert isinstance(gone, FileNotFoundError)
    assert bytes(into[:8]) == (keys[0].encode() * 9)[:8]


def test_a_prefix_is_the_root_and_one_that_holds_nothing_is_unreachable(server: ObjectServer) -> None:
    server.fill("prefixed", {"2009/a": b"1", "2009/b/c": b"2", "2010/d": b"3", "2009": b"4"})
    assert [file.location for file in server.source("prefixed/2009").list()] == ["a", "b/c"]
    with pytest.raises(ArchiveUnreachable, match="correct `url`"):
        server.source("prefixed/2008").check()


def test_pages_are_asked_for_one_after_the_other(server: ObjectServer, monkeypatch: pytest.MonkeyPatch) -> None:
    server.fill("many", {f"{number:04d}": b"x" for number in range(1005)})
    asked: list[str] = []
    plain = buckets._S3._call

    def noted(self: buckets._S3, method: str, **arguments: Any) -> Any:
        asked.append(method)
        return plain(self, method, **arguments)

    monkeypatch.setattr(buckets._S3, "_call", noted)
    listing = server.source("many").list()
    assert next(listing).location == "0000"
    assert len(asked) == 2  # the check, and the first page
    assert sum(1 for _ in listing) == 1004
    assert len(asked) == 3


def test_a_replaced_object_of_the_same_size_and_second_is_another(
    server: ObjectServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.fill("replaced", {"a": b"one", "b": b"two"})
    before = {file.location: file.mtime_ns for file in server.source("replaced").list()}
    again = {file.location: file.mtime_ns for file in server.source("replaced").list()}
    assert before == again
    server.fill("replaced", {"a": b"six"})
    after = {file.location: file.mtime_ns for file in server.source("replaced").list()}
    assert after["b"] == before["b"]
    assert after["a"] % 10**9 != before["a"] % 10**9


def test_an_object_replaced_while_it_is_read_is_an_error_and_no_mixture(server: ObjectServer) -> None:
    server.fill("moving", {"a": b"1" * 300_000})
    with server.source("moving").open("a") as stream:
        assert stream.read(10) == b"1" * 10
        server.fill("moving", {"a": b"2" * 300_000})
        with pytest.raises(OSError, match="replaced while"):
            stream.read()


def test_of_fifty_megabytes_only_the_header_is_read(server: ObjectServer, monkeypatch: pytest.MonkeyPatch) -> None:
    large = pydicom.dcmread(io.BytesIO(CT))
    large.Rows = large.Columns = 5120
    large.PixelData = bytes(5120 * 5120 * 2)
    out = io.BytesIO()
    large.save_as(out)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        file.writestr("m.dcm", out.getvalue())
    server.fill("large", {"m.dcm": out.getvalue(), "c.zip": packed.getvalue()})
    read = []
    plain = buckets._S3._range

    async def counted(self: buckets._S3, key: str, start: int, end: int, **match: str) -> bytes:
        data = await plain(self, key, start, end, **match)
        read.append(len(data))
        return data

    monkeypatch.setattr(buckets._S3, "_range", counted)
    source = server.source("large")
    for location in ("m.dcm", "c.zip!m.dcm"):
        with source.open(location) as stream:
            header = read_header(stream, ("PatientID", "Rows"), digest=False)
        assert header.values["Rows"] == "5120"
    assert 0 < sum(read) < 1_000_000
    with source.open("m.dcm") as stream:
        assert stream.read() == out.getvalue()


def test_it_travels_to_a_worker_and_shows_no_secret(server: ObjectServer) -> None:
    source = ObjectStoreSource("s", "s3://odd", {**server.options, "secret": "sesame"})
    assert pickle.loads(pickle.dumps(source)) == source
    assert "sesame" not in repr(source)


def test_errors_name_the_bucket_and_what_to_do(server: ObjectServer) -> None:
    for source, mend in (
        (server.source("nobody/has/this"), "correct `url`"),
        (
            ObjectStoreSource(
                "s",
                "s3://odd",
                {"endpoint_url": "http://127.0.0.1:9", "config_kwargs": {"retries": {"max_attempts": 0}}},
            ),
            "see the network",
        ),
        (ObjectStoreSource("s", "nothing://like/it"), "options"),
    ):
        with pytest.raises(ArchiveUnreachable) as caught:
            source.check()
        assert mend in caught.value.message
        assert source.url.partition("://")[0] in caught.value.message
        assert "this" not in caught.value.message.replace("this user", "")


def test_other_stores_that_fsspec_knows(tmp_path: Path) -> None:
    memory = fsspec.filesystem("memory")
    memory.pipe({"/arch/a/1": b"one", "/arch/b": CT})
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "1").write_bytes(b"one")
    (tmp_path / "b").write_bytes(CT)
    for url in ("memory://arch", f"file://{tmp_path}"):
        source = ObjectStoreSource("s", url)
        assert {(file.location, file.size) for file in source.list()} == {("b", len(CT)), ("a/1", 3)}
        with source.open("b") as stream:
            stream.seek(100)
            assert stream.read() == CT[100:]
        into = bytearray(20)
        first, gone = source.heads(["b", "gone"], memoryview(into))
        assert (first, bytes(into[:10])) == (10, CT[:10])
        assert isinstance(gone, FileNotFoundError)
    with pytest.raises(ArchiveUnreachable):
        list(ObjectStoreSource("s", f"file://{tmp_path}/gone").list())

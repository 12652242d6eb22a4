"""What every source of objects must do, whatever it lies on; members of containers are read by the same words."""

from __future__ import annotations

import io
import pickle
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pydicom
import pytest

from fonds.archives.base import Source
from fonds.archives.folder import FolderSource
from fonds.archives.members import members, problem_of
from fonds.errors import ArchiveUnreachable
from tests.archives.object_server import ObjectServer, object_server

CT = (Path(pydicom.__file__).parent / "data" / "test_files" / "CT_small.dcm").read_bytes()
PLAIN = {"a!b": CT, "d/ü x": b"short", "d/none": b"", "z": bytes(range(256)) * 3000}


def _packed() -> dict[str, bytes]:
    zipped, tarred = io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in PLAIN.items():
            file.writestr(name, data)
    with tarfile.open(fileobj=tarred, mode="w:gz") as tar:
        for name, data in PLAIN.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return {"p/c": zipped.getvalue(), "p/t": tarred.getvalue()}


FILES = {**PLAIN, **_packed()}
Make = Callable[[str], Source]


@pytest.fixture(scope="module")
def server() -> Iterator[ObjectServer]:
    with object_server() as running:
        running.fill("contract", FILES)
        yield running


@pytest.fixture(params=["folder", "s3", "file"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Make:
    """Makes the source over FILES, or over a place that isn't there."""
    if request.param == "s3":
        running: ObjectServer = request.getfixturevalue("server")
        return lambda place: running.source("contract" + place)
    for name, data in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(data)
    if request.param == "folder":
        return lambda place: FolderSource("s", tmp_path / place.strip("/"))
    from fonds.archives.objectstore import ObjectStoreSource

    return lambda place: ObjectStoreSource("s", f"file://{tmp_path}{place}")


def test_everything_is_listed_once_the_same_each_time(make: Make) -> None:
    source = make("")
    source.check()
    found = list(source.list())
    assert {file.location: file.size for file in found} == {
        name.replace("!", "\\x21"): len(data) for name, data in FILES.items()
    }
    assert all(file.problem is None and file.mtime_ns > 0 for file in found)
    assert list(source.list()) == found


def test_objects_are_seekable_streams_of_exact_bytes(make: Make) -> None:
    source = make("")
    for name, data in FILES.items():
        with source.open(name.replace("!", "\\x21")) as stream:
            assert stream.seek(0, 2) == len(data)
            stream.seek(len(data) // 2)
            assert stream.tell() == len(data) // 2
            assert stream.read(7) == data[len(data) // 2 :][:7]
            stream.seek(0)
            assert stream.read() == data
            assert stream.read() == b""


def test_heads_come_side_by_side_or_say_why_not(make: Make) -> None:
    source = make("")
    names = [name.replace("!", "\\x21") for name in FILES]
    buffer = bytearray(b"-" * 100 * (len(names) + 1))
    came = list(source.heads([*names[:2], "gone", *names[2:]], memoryview(buffer)))
    assert isinstance(came.pop(2), FileNotFoundError)
    into = buffer[:200] + buffer[300:]
    assert came == [min(100, len(data)) for data in FILES.values()]
    for number, data in enumerate(FILES.values()):
        assert into[number * 100 : number * 100 + came[number]] == data[:100]
    assert list(source.heads([], memoryview(bytearray(0)))) == []


def test_members_are_objects_too(make: Make) -> None:
    source = make("")
    for container in ("p/c", "p/t"):
        with source.open(container) as stream:
            first, *rest = [(m.location, m.size, m.stream and m.stream.read()) for m in members(stream, container)]
        assert first[0] == container
        assert {place: data for place, _, data in rest} == {
            f"{container}!{name.replace('!', chr(92) + 'x21')}": data for name, data in PLAIN.items()
        }
        for location, size, data in rest:
            with source.open(location) as member:
                assert member.seek(0, 2) == size
                member.seek(0)
                assert member.read() == data
        into = memoryview(bytearray(20))
        first_bytes, gone = source.heads([f"{container}!z", f"{container}!gone"], into)
        assert (first_bytes, bytes(into[:10])) == (10, bytes(range(10)))
        assert isinstance(gone, FileNotFoundError)


def test_what_is_not_there_is_an_os_error_and_a_missing_archive_unreachable(make: Make) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        make("").open("d/gone").read()
    assert problem_of(caught.value)[0] == "io_error"
    for ask in (lambda: make("/gone").check(), lambda: list(make("/gone").list())):
        with pytest.raises(ArchiveUnreachable, match=r"source s: .*fonds\.yaml"):
            ask()


def test_it_travels_to_another_process(make: Make) -> None:
    source = pickle.loads(pickle.dumps(make("")))
    with source.open("z") as stream:
        assert stream.read() == FILES["z"]

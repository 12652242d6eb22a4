"""A QIDO-RS server of this process with the manners of real ones: each fault is a switch."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

TAGS = {
    "StudyInstanceUID": ("0020000D", "UI"),
    "SeriesInstanceUID": ("0020000E", "UI"),
    "SOPInstanceUID": ("00080018", "UI"),
    "StudyDate": ("00080020", "DA"),
    "StudyTime": ("00080030", "TM"),
    "ModalitiesInStudy": ("00080061", "CS"),
    "PatientID": ("00100020", "LO"),
    "PatientName": ("00100010", "PN"),
    "NumberOfStudyRelatedSeries": ("00201206", "IS"),
    "NumberOfStudyRelatedInstances": ("00201208", "IS"),
    "Modality": ("00080060", "CS"),
}


def study(number: int, **values: str) -> dict[str, str]:
    """A study as the server's database has it."""
    return {
        "StudyInstanceUID": f"1.2.3.{number}",
        "StudyDate": f"20{number % 20:02d}{number % 12 + 1:02d}{number % 28 + 1:02d}",
        "StudyTime": f"{number % 24:02d}0000",
        "PatientID": f"P{number:04d}",
        "PatientName": f"Test^{number}",
        "ModalitiesInStudy": ("CT", "MR", "US")[number % 3],
        **values,
    }


@dataclass
class Archive:
    """What it holds and how it behaves."""

    studies: list[dict[str, str]]
    ignores_limit: bool = False
    ignores_offset: bool = False
    cap: int | None = None
    warns: bool = False
    unstable: bool = False
    refuses_fields: tuple[str, ...] = ()
    empty: str = "204"
    page_limit: int | None = None
    busy: int = 0
    fails_above: int | None = None
    raw: bytes | None = None
    below: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def answer(self, path: str, query: dict[str, list[str]]) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body."""
        if self.busy:
            self.busy -= 1
            return 503, {"Retry-After": "0"}, b""
        for wanted in query.get("includefield", []):
            if wanted in self.refuses_fields or ("*" in self.refuses_fields and wanted != "all"):
                return 400, {}, b"unknown includefield"
        if not path.endswith("/studies"):
            rows = self.below.get(path.partition("/studies/")[2], [])
            return 200, {}, json.dumps(rows).encode()
        if self.raw is not None:
            return 200, {}, self.raw
        found = [one for one in self.studies if self._matches(one, query)]
        offset = 0 if self.ignores_offset else int(query.get("offset", ["0"])[0])
        if self.unstable and offset:
            found = found[1:] + found[:1]
        capped = found[: self.cap] if self.cap else found
        if self.fails_above is not None and len(capped) > self.fails_above:
            return 413, {}, b""
        limit = len(found) if self.ignores_limit else int(query.get("limit", [str(len(found))])[0])
        limit = min(limit, self.page_limit or limit)
        page = capped[offset : offset + limit]
        headers = {"Warning": '299 fonds "there are more"'} if self.warns and offset + len(page) < len(found) else {}
        if not page:
            return {"204": (204, headers, b""), "404": (404, headers, b""), "list": (200, headers, b"[]")}[self.empty]
        return 200, headers, json.dumps([encoded(one) for one in page]).encode()

    def _matches(self, one: dict[str, str], query: dict[str, list[str]]) -> bool:
        for key in TAGS.keys() & query.keys():
            wanted, value = query[key][0], one.get(key, "")
            if key in ("StudyDate", "StudyTime"):
                low, _, high = wanted.partition("-") if "-" in wanted else (wanted, "", wanted)
                if not value or (low and value < low) or (high and value[: len(high)] > high):
                    return False
            elif wanted.endswith("*"):
                plain = wanted.strip("*")
                if (plain not in value) if wanted.startswith("*") else not value.startswith(plain):
                    return False
            elif wanted != value:
                return False
        return True


def encoded(one: dict[str, str]) -> dict[str, Any]:
    """DICOM JSON of plain values."""
    return {
        TAGS[word][0]: {"vr": TAGS[word][1], "Value": [{"Alphabetic": text} if TAGS[word][1] == "PN" else text]}
        if text
        else {"vr": TAGS[word][1]}
        for word, text in one.items()
    }


@contextmanager
def serving(archive: Archive) -> Iterator[str]:
    """Its address while it runs."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            archive.asked.append(self.path)
            status, headers, body = archive.answer(parts.path, parse_qs(parts.query))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Type", "application/dicom+json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/dicom-web"
    finally:
        server.shutdown()
        server.server_close()

"""One line to a QIDO-RS service (PS3.18 10.6): pages of answers, and what this server makes of limits and fields."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import requests
from dicomweb_client.web import DICOMwebClient
from requests.adapters import HTTPAdapter
from urllib3.util.retry import Retry

from fonds.archives.qido_json import attributes
from fonds.archives.throttle import Throttle
from fonds.errors import ArchiveUnreachable
from fonds.project.settings import DicomwebSourceSettings

Level = str
"""``study``, ``series`` or ``instance``"""
FIELDS: dict[Level, tuple[str, ...]] = {
    "study": (
        *("StudyInstanceUID", "StudyDate", "StudyTime", "AccessionNumber", "StudyID", "StudyDescription"),
        *("PatientName", "PatientID", "IssuerOfPatientID", "PatientBirthDate", "PatientSex", "OtherPatientIDs"),
        *("ReferringPhysicianName", "ModalitiesInStudy", "InstitutionName", "InstanceAvailability"),
        *("NumberOfStudyRelatedSeries", "NumberOfStudyRelatedInstances"),
    ),
    "series": (
        *("SeriesInstanceUID", "Modality", "SeriesNumber", "SeriesDescription", "SeriesDate", "SeriesTime"),
        *("BodyPartExamined", "Laterality", "Manufacturer", "ManufacturerModelName", "StationName"),
        *("ProtocolName", "NumberOfSeriesRelatedInstances"),
    ),
    "instance": (
        *("SOPInstanceUID", "SOPClassUID", "SeriesInstanceUID", "InstanceNumber", "ContentDate", "ContentTime"),
        *("NumberOfFrames", "Rows", "Columns", "BitsAllocated"),
    ),
}
UID = {"study": "StudyInstanceUID", "series": "SeriesInstanceUID", "instance": "SOPInstanceUID"}
AGAIN = (429, 502, 503, 504)
ATTEMPTS = 4
# both tell whole addresses in warnings, keys and all
for _library in ("urllib3", "dicomweb_client"):
    logging.getLogger(_library).setLevel(logging.ERROR)
LONGEST_WAIT = 120
"""seconds of a Retry-After that are waited for"""


@dataclass(frozen=True, slots=True)
class Answered:
    """What came to one question: each row's raw text by keyword, each different row once.

    `cut` says why the answer may be incomplete; `broken` counts rows without a UID or that can't be read.
    """

    rows: Sequence[Mapping[str, str]]
    cut: str | None = None
    broken: int = 0


class _Session(requests.Session):
    """Writes ``*`` and spaces as every server reads them: Orthanc takes ``%2A`` for no wildcard, and + is no space."""

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        """Send it."""
        address, mark, query = (request.url or "").partition("?")
        request.url = address + mark + query.replace("%2A", "*").replace("+", "%20")
        return super().send(request, **kwargs)


class QidoClient:
    """Asks one server, and remembers what it showed: whether it pages, and how it is told which fields are wanted."""

    def __init__(self, name: str, settings: DicomwebSourceSettings) -> None:
        self.name, self.settings = name, settings
        self.host = urlsplit(settings.url).netloc.rpartition("@")[2]
        self.pages = True
        """`limit` and `offset` work; where they don't, one answer is all there is"""
        self.fields: str = "listed"
        """how attributes are asked for: ``listed`` one by one, ``all``, or ``none`` (what the server likes to give)"""
        self._largest: dict[Level, int] = {}
        self._more = False
        self._throttle = Throttle(name, settings.pace)
        self._client = self._connect()

    def _connect(self) -> DICOMwebClient:
        headers = {}
        for header, variable in self.settings.headers_from.items():
            if variable not in os.environ:
                raise ArchiveUnreachable(
                    f"source {self.name}: environment variable {variable} isn't set, which `headers_from` names",
                    node=self.host,
                )
            headers[header] = os.environ[variable]
        session = _Session()
        # a 500 or 413 is the answer to this question, and may be none to a smaller one
        retry = Retry(
            total=ATTEMPTS,
            connect=2, read=1, status_forcelist=AGAIN, backoff_factor=0.5, backoff_max=LONGEST_WAIT,
            retry_after_max=LONGEST_WAIT, raise_on_status=False, allowed_methods={"GET"},
        )  # fmt: skip
        for scheme in ("http://", "https://"):
            session.mount(scheme, HTTPAdapter(max_retries=retry))
        try:
            client = DICOMwebClient(
                self.settings.url.rstrip("/"),
                session=session,
                headers=headers,
                callback=self._seen,
                permissive_uid=True,  # UIDs are asked for as the server gave them
                timeout=self.settings.timeout,
            )
        except ValueError:
            raise ArchiveUnreachable(f"source {self.name}: url is no http or https address", node=self.host) from None
        client.set_http_retry_params(retry=False)  # urllib3 does it, and heeds Retry-After
        return client

    def _seen(self, response: requests.Response, *_: Any, **__: Any) -> requests.Response:
        # 299: there are more results than these (PS3.18 10.6.3.2.1)
        self._more = response.headers.get("Warning", "").startswith("299")
        return response

    def probe(self) -> None:
        """Ask for one study, without keys; finds how fields are asked for. Raises ArchiveUnreachable."""
        for fields in ("listed", "all", "none"):
            self.fields = fields
            try:
                self._page("study", {}, (), 1, 0)
                return
            except requests.HTTPError as error:
                status = error.response.status_code if error.response is not None else 0
                if status in (400, 422, 500, 501) and fields != "none":
                    continue
                if status == 413:
                    return  # it answers, but not with everything
                hint = {401: "; see `headers_from`", 403: "; see `headers_from`", 404: "; see `url`"}.get(status, "")
                raise self._unreachable(f"HTTP {status} to a search for studies{hint}") from None
            except (requests.RequestException, ValueError) as error:
                raise self._unreachable(f"{type(error).__name__} at a search for studies") from None

    def ask(
        self, level: Level, keys: Mapping[str, str], parents: Sequence[str] = (), most: int | None = None
    ) -> Answered:
        """All answers to a question, page by page; stops after `most` and says so.

        `parents` are the UIDs above. Raises ArchiveUnreachable when the server can't be talked to at all.
        """
        rows: dict[tuple[tuple[str, str], ...], Mapping[str, str]] = {}
        broken = offset = 0
        cut: str | None = None
        more = False
        while True:
            limit = self.settings.page if self.pages else None
            page, failed = self._tried(level, keys, parents, limit, offset)
            read = [attributes(row) for row in page]
            unique = {tuple(sorted(row.items())): row for row in read if row and row.get(UID[level], "").strip()}
            again = len(unique.keys() & rows.keys())
            repeated = bool(offset and again == len(unique) and again)
            if repeated and limit is not None and len(page) >= limit:
                # it honours limit and ignores offset: asked without both it may give all there is
                self.pages = False
                rows, broken, offset, cut = {}, 0, 0, None
                continue
            if failed or not page or repeated:  # the same once more: the first answer was all
                cut = failed or (f"the server says that there is more at {level} level" if more else cut)
                break
            if again:
                cut = f"pages overlap at {level} level: the server's order isn't stable"
            rows |= unique
            broken += sum(not row or not row.get(UID[level], "").strip() for row in read)
            offset += len(page)
            more = self._more
            largest = self._largest[level] = max(self._largest.get(level, 0), len(page))
            if limit is None:
                cut = f"the server says that there is more at {level} level" if more else cut
                break
            # a page as large as the largest this server gave may be cut by a limit of its own
            if len(page) < largest and not more:
                break
            if most is not None and offset >= most:
                cut = f"stopped after {offset} answers"
                break
        return Answered(list(rows.values()), cut, broken)

    def _tried(
        self, level: Level, keys: Mapping[str, str], parents: Sequence[str], limit: int | None, offset: int
    ) -> tuple[list[Any], str | None]:
        """A page, and why it failed where a smaller question may not."""
        try:
            return self._page(level, keys, parents, limit, offset), None
        except requests.HTTPError as error:
            status = error.response.status_code if error.response is not None else 0
            if status in (401, 403):
                raise self._unreachable(f"HTTP {status} at {level} level; see `headers_from`") from None
            # 404 says of some servers that nothing matches, or no more
            return [], None if status == 404 else f"HTTP {status} at {level} level"
        except requests.Timeout:
            return [], f"no answer within {self.settings.timeout:g} s at {level} level"
        except requests.ConnectionError as error:
            raise self._unreachable(f"{type(error).__name__} at {level} level") from None
        except (requests.RequestException, ValueError) as error:
            return [], f"an answer that can't be read ({type(error).__name__}) at {level} level"

    def _page(
        self, level: Level, keys: Mapping[str, str], parents: Sequence[str], limit: int | None, offset: int
    ) -> list[Any]:
        self._throttle.wait()
        self._more = False
        fields = {"listed": FIELDS[level], "all": ("all",), "none": None}[self.fields]
        asked: dict[str, Any] = {
            "limit": limit,
            "offset": offset or None,
            "fields": fields,
            "search_filters": dict(keys) or None,
        }
        if level == "study":
            page = self._client.search_for_studies(**asked)
        elif level == "series":
            page = self._client.search_for_series(parents[0], **asked)
        else:
            study, series = parents
            page = self._client.search_for_instances(study, series, **asked)
        if not isinstance(page, list):
            raise json.JSONDecodeError("no list", "", 0)
        return page

    def _unreachable(self, what: str) -> ArchiveUnreachable:
        return ArchiveUnreachable(f"source {self.name} at {self.host}: {what}", node=self.host)

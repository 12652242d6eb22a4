"""Expected context: which order and report belong to which study, and what is missing around the studies."""

from __future__ import annotations

import re
from collections import defaultdict

from fonds.samples import chains, documents
from fonds.samples.expect import calendar, empty
from fonds.samples.expect_links import Gap, is_image, link_gaps, rejected
from fonds.samples.orders import FUTURE, SERVED, Told
from fonds.samples.seen import Seen
from fonds.samples.sources import DEPARTMENTS, SOURCES

Link = tuple[str, str, str, str]
"""Feed, order or report, id, study UID ('' where there is none)."""
_MARKS = (documents.PR, documents.SEG, documents.RTSTRUCT, chains.ANN)


def feed_links(rows: list[Seen], told: list[Told]) -> set[Link]:
    """Each order and report of the feeds with each study it belongs to.

    A study is known by its UID, else by its accession number, in whatever spelling, of the same issuer and patient.
    """
    by_uid = {row.get("StudyInstanceUID") for row in rows}
    by_number: dict[tuple[str, str, str], set[str]] = defaultdict(set)
    for row in rows:
        for number in {row.get("AccessionNumber"), row.get("RequestAccessionNumbers")}:
            if not empty(number):
                by_number[_issuer(row), _key(number), row.planned.person].add(row.get("StudyInstanceUID"))
    found: set[Link] = set()
    for one in told:
        issuer = str(SOURCES[one.exam.source]["accession_issuer"])
        studies = set(by_number.get((issuer, _key(str(one.exam.accession)), one.noted.person), ()))
        studies |= {one.study_uid} & by_uid - {""}
        found |= {(one.feed, one.kind, one.id, study) for study in studies or {""}}
    return found


def _issuer(row: Seen) -> str:
    return row.get("IssuerOfAccessionNumberEntityID") or str(SOURCES[row.source]["accession_issuer"])


def _key(number: str) -> str:
    """One for all spellings: no separators, and no zeros a number begins with."""
    plain = re.sub(r"[^A-Z0-9]", "", number.upper())
    return re.sub(r"^([A-Z]*)0+(?=\d)", r"\1", plain)


def gaps(rows: list[Seen], told: list[Told]) -> set[Gap]:
    """Everything missing around the block's studies, orders and reports; of accession numbers no entity is told."""
    links = feed_links(rows, told)
    studies: dict[str, list[Seen]] = defaultdict(list)
    for row in rows:
        if row.get("StudyInstanceUID"):
            studies[row.get("StudyInstanceUID")].append(row)
    return (
        link_gaps(rows)
        | _rejections(rows)
        | _reports(studies, told, links)
        | _orders(studies, told, links)
        | _accessions(studies)
        | _marks(rows)
    )


def _rejections(rows: list[Seen]) -> set[Gap]:
    seen = {(row.source, row.location): row for row in rows}
    taken = [seen[source, location] for source, location, _ in rejected(rows)]
    return {("rejected-object", row.source, row.get("StudyInstanceUID"), row.get("SOPInstanceUID")) for row in taken}


def _first(members: list[Seen]) -> str:
    return min((row.source for row in members), key=DEPARTMENTS.index)


def _is_report(row: Seen) -> bool:
    return row.get("Modality") in ("SR", "DOC", "KO") and row.title not in documents.REJECTED


def _waived(members: list[Seen]) -> bool:
    return any("PHANTOM" in row.get("PatientName") for row in members)


def _reports(studies: dict[str, list[Seen]], told: list[Told], links: set[Link]) -> set[Gap]:
    status = {(one.feed, one.kind, one.id): one.status for one in told}
    final: dict[str, set[bool]] = defaultdict(set)
    for feed, kind, name, study in links:
        if kind == "report" and study:
            final[study].add(status[feed, kind, name] != "preliminary")
    found: set[Gap] = set()
    for uid, together in _together(studies).items():
        members, pictured, reported = studies[uid], any(map(is_image, together)), any(map(_is_report, together))
        for source in {row.source for row in members}:
            here = [row for row in members if row.source == source]
            if any(map(is_image, here)) and not (reported or final[uid] or _waived(members)):
                found.add(("images-without-report", source, uid, uid))
            if any(map(_is_report, here)) and not pictured:
                found.add(("report-without-images", source, uid, uid))
        if any(map(is_image, members)) and not reported and final[uid] == {False}:
            found.add(("only-preliminary-report", _first(members), uid, uid))
    for one in told:
        if one.kind == "report" and (one.feed, one.kind, one.id, "") in links:
            if _misfiled(one):
                found.add(("report-on-other-patient", one.feed, one.exam.study_uid, one.id))
            else:
                found.add(("report-without-images", one.feed, "", one.id))
    return found


def _together(studies: dict[str, list[Seen]]) -> dict[str, list[Seen]]:
    """The files of each study and of those that share an accession number of the same patient with it."""
    numbers: dict[tuple[str, str], set[str]] = defaultdict(set)
    for uid, members in studies.items():
        for row in members:
            if not _no_number(row):
                numbers[_key(row.get("AccessionNumber")), row.planned.person].add(uid)
    found = {}
    for uid, members in studies.items():
        shared = {(_key(row.get("AccessionNumber")), row.planned.person) for row in members}
        beside = {uid}.union(*(numbers.get(number, ()) for number in shared))
        found[uid] = [row for other in sorted(beside) for row in studies[other]]
    return found


def _misfiled(one: Told) -> bool:
    return one.left_images and one.noted.person != one.exam.person.key


def _no_number(row: Seen) -> bool:
    number = row.get("AccessionNumber").strip()
    return not number or number == "UNKNOWN" or len(set(number)) == 1


def _orders(studies: dict[str, list[Seen]], told: list[Told], links: set[Link]) -> set[Gap]:
    found: set[Gap] = set()
    status = {(one.feed, one.kind, one.id): one.status for one in told}
    ordered: dict[str, set[str]] = defaultdict(set)
    for feed, kind, name, study in links:
        if kind == "order" and study:
            ordered[study].add(status[feed, kind, name])
    for one in told:
        if one.kind != "order":
            continue
        if (one.feed, one.kind, one.id, "") in links and one.status != "cancelled" and one.day != FUTURE:
            found.add(("order-without-study", one.feed, one.study_uid, one.id))
        if one.status == "cancelled":
            done = [study for feed, _, name, study in links if (feed, name) == (one.feed, one.id) and study]
            found |= {
                ("cancelled-order-with-images", _first(studies[study]), study, one.id)
                for study in done
                if ordered[study] == {"cancelled"}
            }
    for uid, members in studies.items():
        source = _first([row for row in members if is_image(row)] or members)
        # a study of no day lies in no time that a feed speaks of
        dated = any(calendar(row.get("StudyDate")) for row in members)
        if source in SERVED and dated and any(map(is_image, members)) and not ordered[uid] and not _waived(members):
            found.add(("study-without-order", _first(members), uid, uid))
    return found


def _accessions(studies: dict[str, list[Seen]]) -> set[Gap]:
    holders: dict[tuple[str, str], set[str]] = defaultdict(set)
    written: dict[str, set[tuple[str, str]]] = defaultdict(set)
    rows = [row for members in studies.values() for row in members if not _no_number(row)]
    for row in rows:
        holders[_issuer(row), _key(row.get("AccessionNumber"))].add(row.planned.person)
        written[row.get("AccessionNumber").strip()].add((_issuer(row), row.planned.person))
    found: set[Gap] = set()
    for row in rows:
        place = (_first(studies[row.get("StudyInstanceUID")]), row.get("StudyInstanceUID"), "")
        if len(holders[_issuer(row), _key(row.get("AccessionNumber"))]) > 1:
            found.add(("accession-on-two-patients", *place))
        both = written[row.get("AccessionNumber").strip()]
        if len({issuer for issuer, _ in both}) > 1 and len({person for _, person in both}) > 1:
            found.add(("accession-collision", *place))
    return found


def _marks(rows: list[Seen]) -> set[Gap]:
    """Annotations none of whose images is there."""
    images = {row.get("SOPInstanceUID") for row in rows if is_image(row)}
    held = {row.get("SOPInstanceUID") for row in rows}
    return {
        ("annotation-without-image", row.source, row.get("StudyInstanceUID"), row.get("SOPInstanceUID"))
        for row in rows
        if (row.get("SOPClassUID") in _MARKS or row.get("Modality") == "SR")
        and not images & set(row.references)
        and set(row.references) - held
    }

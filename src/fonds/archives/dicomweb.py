"""A DICOMweb server as an index: studies by slices of QIDO-RS questions, then what is below each study that changed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

import polars as pl

from fonds.archives.base import Batch, Memory
from fonds.archives.qido import UID, Answered, QidoClient
from fonds.archives.slices import Answer, Found
from fonds.archives.slicing import Slicer
from fonds.archives.sweeps import Piece, Study, Sweeps
from fonds.catalog.schema import TABLES
from fonds.project.settings import DicomwebSourceSettings

_SCHEMA = {name: kind for name, kind in TABLES["entries"].schema.items() if name != "source"}
_VALID = re.compile(r"[0-9.]{1,64}")
_Row = dict[str, str | int | None]


class QidoIndex:
    """One DICOMweb server."""

    def __init__(self, name: str, settings: DicomwebSourceSettings) -> None:
        self.name, self.settings = name, settings

    def check(self) -> None:
        """One search for one study; raises ArchiveUnreachable."""
        QidoClient(self.name, self.settings).probe()

    def batches(self, memory: Memory) -> Iterator[Batch]:
        """A batch for each slice of studies, with what is below them; raises ArchiveUnreachable.

        A study whose row says the same as at the last crawl, its number of instances included, isn't asked about.
        """
        client = QidoClient(self.name, self.settings)
        client.probe()
        resumed: dict[str, pl.DataFrame] = {}
        answered: dict[str, list[Found]] = {}

        def finished(key: str) -> Sequence[Found] | None:
            if key not in answered:
                rows = memory.finished(key)
                if rows is None:
                    return None
                resumed[key] = rows
                studies = rows.filter(pl.col("level") == "STUDY")
                answered[key] = [Found(json.loads(text)) for text in studies["attributes"]]
            return answered[key]

        slicer = Slicer(lambda keys, most: _studies(client.ask("study", keys, most=most)))
        today = datetime.now().astimezone().date()
        sweeps = Sweeps(slicer, first=self.settings.first_date, today=today, finished=finished)
        for piece in sweeps.pieces():
            if piece.resumed:
                yield Batch(piece.key, resumed.pop(piece.key))
            else:
                yield self._batch(client, piece, memory)

    def _batch(self, client: QidoClient, piece: Piece, memory: Memory) -> Batch:
        rows = [_study_row(study) for study in piece.studies]
        problems = [piece.problem] if piece.problem else []
        known = pl.DataFrame(schema=_SCHEMA)
        if self.settings.depth != "study" and piece.studies:
            known = self._unchanged(rows, memory)
            settled = set(known["study_uid"])
            below = _Below(client, self.settings.depth)
            # each study is a question to the server
            for row in rows:
                if row["record"] == 0 and row["study_uid"] not in settled:
                    below.ask(str(row["study_uid"]), json.loads(str(row["attributes"])))
            rows += below.rows
            problems += below.told()
        frame = pl.DataFrame(rows, schema=_SCHEMA)
        below_known = known.filter(pl.col("level") != "STUDY").select(list(_SCHEMA))
        return Batch(piece.key, pl.concat([frame, below_known]), "; ".join(problems) or None)

    def _unchanged(self, rows: list[_Row], memory: Memory) -> pl.DataFrame:
        """What the last crawl left of studies that say the same now, number of instances included."""
        told = pl.DataFrame(rows, schema=_SCHEMA)
        told = told.filter(told.select(pl.len().over("study_uid")).to_series() == 1)
        counted = pl.col("attributes").str.json_path_match("$.NumberOfStudyRelatedInstances") != ""
        before = memory.known.filter(pl.col("level") == "STUDY")
        same = told.filter(counted).join(before, on=["study_uid", "attributes"], how="semi")
        of_these = memory.known.select(list(_SCHEMA)).join(same, on="study_uid", how="semi")
        # asked deeper than before, or nothing was found before: ask
        deepest = pl.col("level") == self.settings.depth.upper()
        return of_these.filter(deepest.any().over("study_uid"))


class _Below:
    """Series, and instances, of studies."""

    def __init__(self, client: QidoClient, depth: str) -> None:
        self._client, self._deep = client, depth == "instance"
        self.rows: list[_Row] = []
        self._cut: dict[str, int] = {}
        self._strange = self._broken = self._missing = 0

    def ask(self, study: str, said: Mapping[str, str]) -> None:
        """All below one study."""
        if not _VALID.fullmatch(study):
            self._strange += 1
            return
        series = self._answered("series", (study,))
        self.rows += _rows(series.rows, "series", (study,))
        named = list(dict.fromkeys(row[UID["series"]] for row in series.rows))
        count = _number(said.get("NumberOfStudyRelatedSeries", ""))
        short = count is not None and len(named) < count
        if self._deep:
            short |= self._instances(study, named, said)
        self._missing += short

    def _instances(self, study: str, named: Sequence[str], said: Mapping[str, str]) -> bool:
        """Instances of a study; says whether there are fewer than the server counts."""
        whole = self._client.ask("instance", {}, (study,))
        count = _number(said.get("NumberOfStudyRelatedInstances", ""))
        found = {(row.get(UID["series"], ""), row[UID["instance"]]) for row in whole.rows}
        complete = not whole.cut and all(series for series, _ in found)
        if complete and count is not None and len(found) >= count:
            self._broken += whole.broken
            self.rows += _rows(whole.rows, "instance", (study,))
            return False
        # cut off, without its series, or nobody can tell: series by series
        held = 0
        for series in named:
            if not _VALID.fullmatch(series):
                self._strange += 1
                continue
            part = self._answered("instance", (study, series))
            held += len({row[UID["instance"]] for row in part.rows})
            self.rows += _rows(part.rows, "instance", (study, series))
        others = [row for row in whole.rows if row.get(UID["series"], "").strip() not in {"", *named}]
        self.rows += _rows(others, "instance", (study,))
        return count is not None and held + len(others) < count

    def _answered(self, level: str, parents: Sequence[str]) -> Answered:
        answer = self._client.ask(level, {}, parents)
        if answer.cut:
            self._cut[answer.cut] = self._cut.get(answer.cut, 0) + 1
        self._broken += answer.broken
        return answer

    def told(self) -> list[str]:
        """Why it isn't complete."""
        told = [f"{cut} ({count} times)" for cut, count in sorted(self._cut.items())]
        if self._missing:
            told.append(f"{self._missing} studies have fewer series or instances than the server counts")
        if self._broken:
            told.append(f"{self._broken} answer(s) below studies without a UID that can be read are left out")
        if self._strange:
            told.append(f"{self._strange} studies or series whose UID can't stand in an address weren't asked below")
        return told


def _studies(answered: Answered) -> Answer:
    return Answer([Found(row) for row in answered.rows], answered.cut, answered.broken)


def _study_row(study: Study) -> _Row:
    notes = [*study.notes, *([] if _VALID.fullmatch(study.found.uid) else ["uid-invalid"])]
    return _row((study.found.uid,), study.found.attributes, study.record, notes)


def _rows(answers: Sequence[Mapping[str, str]], level: str, parents: Sequence[str]) -> Iterator[_Row]:
    """Rows of one question's answers; different answers about one thing are counted."""
    told: dict[tuple[str, ...], int] = {}
    for answer in answers:
        middle = [answer.get(UID["series"], "").strip()] if level == "instance" and len(parents) == 1 else []
        place = (*parents, *middle, answer[UID[level]])
        record = told[place] = told.get(place, -1) + 1
        yield _row(place, answer, record, ["answered-twice"] if record else [])


def _row(place: tuple[str, ...], said: Mapping[str, str], record: int, notes: Sequence[str]) -> _Row:
    uids = (*place, None, None)[:3]
    return {
        "location": "/".join(place),
        "record": record,
        "origin": "dicomweb",
        "level": ("STUDY", "SERIES", "INSTANCE")[len(place) - 1],
        "study_uid": uids[0],
        "series_uid": uids[1],
        "sop_uid": uids[2],
        "attributes": json.dumps(dict(said), ensure_ascii=False, sort_keys=True),
        "note": ", ".join(notes) or None,
    }


def _number(text: str) -> int | None:
    return int(text) if text.strip().isdecimal() else None

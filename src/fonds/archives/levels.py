"""What an archive answers, level by level, as batches of `entries`: of studies that changed, series and instances."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal, Protocol

import polars as pl

from fonds.archives.base import Batch, Memory
from fonds.archives.slices import Answer, Found
from fonds.archives.sweeps import Piece, Study

STUDIES = 100
"""studies whose series and instances are one batch"""
_TOGETHER = 20
Below = Literal["SERIES", "INSTANCE"]
_UIDS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
_COUNTS = {"SERIES": "NumberOfStudyRelatedSeries", "INSTANCE": "NumberOfStudyRelatedInstances"}
_FEWER = {"SERIES": "fewer-series-than-counted", "INSTANCE": "fewer-instances-than-counted"}
_SCHEMA = {
    "location": pl.String(),
    "record": pl.Int64(),
    "origin": pl.String(),
    "level": pl.String(),
    "study_uid": pl.String(),
    "series_uid": pl.String(),
    "sop_uid": pl.String(),
    "referenced_file": pl.String(),
    "attributes": pl.String(),
    "note": pl.String(),
    "size": pl.Int64(),
    "mtime_ns": pl.Int64(),
}


class Asking(Protocol):
    """An archive that is asked for what lies below its studies."""

    @property
    def relational(self) -> bool:
        """Whether series of several studies, and all instances of a study, may be asked for at once."""
        ...

    def below(self, level: Below, studies: Sequence[str], series: str | None) -> Answer:
        """Series of studies, or instances of one study or of one of its series."""
        ...


class Levels:
    """Rows of `entries` for the pieces of a sweep, and for what is below their studies.

    Below a study nothing is asked when the archive says the same of it as at the last crawl, its counts among that.
    """

    def __init__(self, asking: Asking, memory: Memory, *, origin: str, depth: Literal["study", "series", "instance"]):
        self.asking, self.memory, self.origin = asking, memory, origin
        self._levels: list[Below] = (
            [] if depth == "study" else ["SERIES"] if depth == "series" else ["SERIES", "INSTANCE"]
        )
        self._asked: set[str] = set()

    def finished(self, key: str) -> list[Found] | None:
        """Studies of a batch that was finished before the crawl was interrupted."""
        frame = self.memory.finished(key)
        if frame is None:
            return None
        pairs = frame.select("study_uid", "attributes").iter_rows()
        return [Found({**json.loads(attributes), "StudyInstanceUID": uid}) for uid, attributes in pairs]

    def batches(self, pieces: Iterable[Piece]) -> Iterator[Batch]:
        """For each piece what is below its studies, then the studies themselves, with what that showed of them."""
        for piece in pieces:
            done = self.memory.finished(piece.key) if piece.resumed else None
            studies = self._studies(piece.studies) if done is None else done
            shown: list[pl.DataFrame] = []
            uids = sorted(set(studies["study_uid"]) - self._asked) if self._levels else []
            self._asked.update(uids)
            for start in range(0, len(uids), STUDIES):
                batch, notes = self._below(studies.filter(pl.col("study_uid").is_in(uids[start : start + STUDIES])))
                shown.append(notes)
                yield batch
            if shown and done is None:
                studies = _noted(studies, pl.concat(shown))
            if studies.height or piece.problem or not piece.key.endswith(" rest"):
                yield Batch(piece.key, studies, piece.problem)

    def _studies(self, studies: Sequence[Study]) -> pl.DataFrame:
        # one step an answer, as they came over the wire; the same below
        return _frame([_row(self.origin, "STUDY", study.found, study.record, study.notes) for study in studies])

    def _below(self, studies: pl.DataFrame) -> tuple[Batch, pl.DataFrame]:
        """The batch below some studies, and what it shows of them: their notes by UID."""
        uids = sorted(set(studies["study_uid"]))
        key = "below " + hashlib.sha256("\0".join(uids).encode()).hexdigest()[:20]
        rows = self.memory.finished(key)
        problems: dict[str, int] = {}
        if rows is None:
            same = self._unchanged(studies)
            known = self.memory.known
            kept = known.filter(pl.col("study_uid").is_in(same) & pl.col("level").is_in(self._levels))
            rows = pl.concat([kept.select(*_SCHEMA), *self._asked_below([u for u in uids if u not in same], problems)])
        problem = "; ".join(f"{text} ({count} times)" if count > 1 else text for text, count in problems.items())
        notes = self._notes(studies, rows) if not problems else studies.select("study_uid", "note").clear()
        return Batch(key, rows, problem or None), notes

    def _unchanged(self, studies: pl.DataFrame) -> list[str]:
        """Studies of which the archive says the same as before, counts included, and below which all was catalogued."""
        known = self.memory.known
        before = known.filter(pl.col("level") == "STUDY").select("study_uid", "attributes")
        mine = known.filter(pl.col("study_uid").is_in(studies["study_uid"].to_list()))
        held = mine.group_by("study_uid").agg(
            *[(pl.col("level") == level).sum().alias(f"held {level}") for level in self._levels]
        )
        if before.is_empty():
            return []
        told = studies.join(before.unique(), on=["study_uid", "attributes"], how="left", coalesce=False)
        complete = pl.lit(value=True)
        for level in self._levels:
            said = pl.col("attributes").str.json_path_match(f"$.{_COUNTS[level]}").str.strip_chars()
            complete &= said.cast(pl.Int64, strict=False) == pl.col(f"held {level}")
        judged = told.join(held, on="study_uid", how="left").with_columns(
            (pl.col("study_uid_right").is_not_null() & complete).fill_null(value=False).alias("same")
        )
        return judged.group_by("study_uid").agg(pl.col("same").all()).filter("same")["study_uid"].to_list()

    def _asked_below(self, uids: list[str], problems: dict[str, int]) -> Iterator[pl.DataFrame]:
        together = _TOGETHER if self.asking.relational else 1
        for start in range(0, len(uids), together):
            some = uids[start : start + together]
            answer = self.asking.below("SERIES", some, None)
            if answer.cut and len(some) > 1:
                answers = [self.asking.below("SERIES", [uid], None) for uid in some]
            else:
                answers = [answer]
            rows: list[dict[str, Any]] = []
            for one in answers:
                rows += self._rows("SERIES", one, some, problems)
            if "INSTANCE" in self._levels:
                for uid in some:
                    series = sorted({row["series_uid"] for row in rows if row["study_uid"] == uid})
                    for one in self._instances(uid, series):
                        rows += self._rows("INSTANCE", one, [uid], problems)
            yield _frame(rows)

    def _instances(self, study: str, series: list[str]) -> Iterator[Answer]:
        if self.asking.relational and len(series) > 1:
            answer = self.asking.below("INSTANCE", [study], None)
            if not answer.cut:
                yield answer
                return
        for uid in series:
            yield self.asking.below("INSTANCE", [study], uid)

    def _rows(self, level: Below, answer: Answer, studies: list[str], problems: dict[str, int]) -> list[dict[str, Any]]:
        if answer.cut:
            text = f"an answer at {level} level ended with {answer.cut}"
            problems[text] = problems.get(text, 0) + 1
        depth = 2 if level == "SERIES" else 3
        rows: dict[tuple[str, str], dict[str, Any]] = {}
        lost = answer.broken
        for found in answer.found:
            attributes = dict(found.attributes)
            if len(studies) == 1:
                attributes.setdefault("StudyInstanceUID", studies[0])
            if not all(attributes.get(uid) for uid in _UIDS[:depth]):
                lost += 1
            elif attributes["StudyInstanceUID"] in studies:  # an archive that ignores the key answers others too
                row = _row(self.origin, level, Found(attributes, found.notes), 0, found.notes)
                rows.setdefault((row["location"], row["attributes"]), row)
        if lost:
            text = f"answers at {level} level without UIDs that can be read are left out"
            problems[text] = problems.get(text, 0) + lost
        records: dict[str, int] = {}
        for row in rows.values():
            row["record"] = records[row["location"]] = records.get(row["location"], -1) + 1
        for row in rows.values():
            if records[row["location"]]:
                row["note"] = ", ".join(filter(None, (row["note"], "answered-twice")))
        return list(rows.values())

    def _notes(self, studies: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
        """Studies without anything below them, and those that count more than was answered."""
        counted = rows.group_by("study_uid").agg(
            *[
                pl.col("location").filter(pl.col("level") == level).n_unique().alias(f"told {level}")
                for level in self._levels
            ]
        )
        told = studies.join(counted, on="study_uid", how="left").with_columns(pl.col("^told .*$").fill_null(0))
        texts = [pl.when(pl.col("told SERIES") == 0).then(pl.lit("order-shell"))]
        for level in self._levels:
            said = pl.col("attributes").str.json_path_match(f"$.{_COUNTS[level]}").str.strip_chars()
            fewer = (pl.col("told SERIES") > 0) & (said.cast(pl.Int64, strict=False) > pl.col(f"told {level}"))
            texts.append(pl.when(fewer).then(pl.lit(_FEWER[level])))
        note = pl.concat_str(texts, separator=", ", ignore_nulls=True)
        return told.select("study_uid", note.alias("note")).filter(pl.col("note") != "").unique()


def _noted(studies: pl.DataFrame, notes: pl.DataFrame) -> pl.DataFrame:
    more = notes.group_by("study_uid").agg(pl.col("note").first().alias("more"))
    joined = studies.join(more, on="study_uid", how="left", maintain_order="left")
    already = pl.col("note").fill_null("").str.contains("order-shell") & (pl.col("more") == "order-shell")
    more_text = pl.when(~already.fill_null(value=False)).then(pl.col("more"))
    note = pl.concat_str([pl.col("note"), more_text], separator=", ", ignore_nulls=True)
    return joined.with_columns(pl.when(note != "").then(note).alias("note")).drop("more")


def _row(origin: str, level: str, found: Found, record: int, notes: Sequence[str]) -> dict[str, Any]:
    depth = {"STUDY": 1, "SERIES": 2, "INSTANCE": 3}[level]
    uids = [found.attributes[uid] if place < depth else None for place, uid in enumerate(_UIDS)]
    rest = {word: text for word, text in sorted(found.attributes.items()) if word not in _UIDS}
    return {
        "location": "/".join(uid for uid in uids if uid is not None),
        "record": record,
        "origin": origin,
        "level": level,
        "study_uid": uids[0],
        "series_uid": uids[1],
        "sop_uid": uids[2],
        "attributes": json.dumps(rest, ensure_ascii=False),
        "note": ", ".join(notes) or None,
    }


def _frame(rows: list[dict[str, Any]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=_SCHEMA)

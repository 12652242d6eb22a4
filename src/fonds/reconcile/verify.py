"""Asks the target for what was sent, study by study, and compares what comes back with the source."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

from fonds.archives.base import Kind, Source, Target
from fonds.dicom.compare import pixel_digest, unexplained
from fonds.dicom.write import Change
from fonds.errors import CoercionRefused, UnreadableHeader

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What reading back said of one object; `state` None when nothing could be asked."""

    source: str
    location: str
    state: str | None
    reason: str | None
    evidence: str
    digest_after: str | None = None


@dataclass(frozen=True, slots=True)
class Verifier:
    """How a target is read back: `get` retrieve and compare, `find` only ask whether it is there, `none` neither."""

    target: Target
    sources: Mapping[str, Source]
    query: str
    exact: bool

    def study(self, study_uid: str, rows: list[Row], *, again: bool) -> Iterator[Verdict]:
        """Verdicts on a study's sent objects; those verified before are only looked for, unless `again`."""
        if self.query == "none":
            for row in rows:
                code = row["status_code"] or "no status"
                yield _verdict(row, "verified", None, f"acknowledged ({code}); the target can't be queried")
            return
        keys = {row["sop_uid"]: row["target_key"] for row in rows}
        held = self.target.held(study_uid, keys)
        if held is None:
            for row in rows:
                yield _verdict(
                    row, None, "target-not-queryable", "the target answers no query; see `query` in fonds.yaml"
                )
            return
        there = [row for row in rows if row["sop_uid"] in held]
        for row in rows:
            if row["sop_uid"] not in held:
                yield _verdict(row, "failed", "missing-at-target", "acknowledged, but the target doesn't hold it")
        if self.query == "find":
            for row in there:
                yield _verdict(row, "verified", None, "found by query; not read back")
            return
        compare = [row for row in there if again or row["state"] != "verified"]
        for row in there:
            if row not in compare:
                yield _verdict(row, "verified", None, row["evidence"] or "read back by an earlier run; still there")
        # all kinds of the study: an archive that gives back a study stumbles over what it may not send
        kinds = {Kind(row["sop_class_uid"] or "", row["transfer_syntax"] or "") for row in rows}
        yield from self._compare(study_uid, compare, kinds)

    def _compare(self, study_uid: str, rows: list[Row], kinds: set[Kind]) -> Iterator[Verdict]:
        waiting = {row["sop_uid"]: row for row in rows}
        keys = {uid: row["target_key"] for uid, row in waiting.items()}
        largest = max((row["size"] or 0 for row in rows), default=0)
        for uid, stream in self.target.retrieve(study_uid, keys, kinds, largest) if keys else ():
            row = waiting.pop(uid, None)
            if row is not None:
                yield self._judge(row, stream)
        for row in waiting.values():
            yield _verdict(row, "failed", "not-retrievable", "the target says it holds it, but doesn't give it back")

    def _judge(self, row: Row, stream: BinaryIO) -> Verdict:
        changes = [
            Change(c["path"], c["before"], c["after"], c["reason"], c["rule"] or "") for c in row["changes"] or ()
        ]
        try:
            after = pixel_digest(stream)
        except UnreadableHeader as error:
            return _verdict(row, "failed", "unreadable-at-target", f"read back, not readable: {error.reason}")
        try:
            with self.sources[row["source"]].open(row["location"]) as source:
                before = row["digest_pixels_before"] or pixel_digest(source)
                if before != after:
                    return _verdict(row, "failed", "pixels-differ", "pixel data read back differs", after)
                different = unexplained(source, stream, changes, exact=self.exact)
        except (UnreadableHeader, CoercionRefused) as error:
            return _verdict(row, "failed", "not-comparable", f"{type(error).__name__} while comparing", after)
        except OSError as error:
            return _verdict(row, "failed", "not-comparable", f"{type(error).__name__} while comparing", after)
        if different:
            named = ", ".join(different[:8])
            return _verdict(row, "failed", "unexplained-difference", f"differs without a change at {named}", after)
        pixels = "pixel digest equal" if after else "no pixel data"
        header = f"{len(changes)} approved change(s) and nothing else differ" if changes else "data set equal"
        return _verdict(row, "verified", None, f"read back: {pixels}; {header}", after)


def _verdict(row: Row, state: str | None, reason: str | None, evidence: str, after: str | None = None) -> Verdict:
    return Verdict(row["source"], row["location"], state, reason, evidence, after or row["digest_pixels_after"])

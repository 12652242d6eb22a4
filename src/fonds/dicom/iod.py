"""Holds an object against the Information Object Definition of its SOP class and against PS3.5.

Attributes of type 1 and 2, those of 1C and 2C whose condition the object itself decides, value representation,
multiplicity, enumerated values and defined terms; at every depth. Pixel data is never read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, NamedTuple

from pydicom.datadict import keyword_for_tag

from fonds.dicom import iod_forms, iod_values
from fonds.dicom.charset import DEFAULT, Codec, codec, repair
from fonds.dicom.iod_conditions import MODULES, Place, required, tag
from fonds.dicom.iod_groups import SHARED_OR_PER_FRAME, faults_of_groups
from fonds.dicom.iod_read import Item, Tree, Value, read_tree
from fonds.dicom.iod_table import Asked, Iod, Module, iod
from fonds.dicom.parsed import CHARACTER_SET, PIXEL_TAGS
from fonds.dicom.values import as_text, uid_text

VERSION = 1
"""Raised whenever the same bytes would give other problems, so that they are looked at once more."""
MAX_PROBLEMS = 500
SHOWN = 40
_SOP_CLASS, _PHOTOMETRIC, _SAMPLES, _FRAMES = 0x00080016, 0x00280004, 0x00280002, 0x00280008
# VRs whose values tell a setting or a term; names, identifiers, dates and free text may tell who the patient is
_TELLING = frozenset(("AT", "CS", "DS", "FD", "FL", "IS", "SL", "SS", "UL", "US"))
ERRORS = frozenset(("missing", "empty", "vr", "multiplicity", "value"))


class Problem(NamedTuple):
    """One attribute that isn't as it should be; `value` is shortened, and None for what may tell who the patient is.

    `problem` is missing, empty, vr, multiplicity, value (not among the enumerated ones) or term (not a defined one).
    """

    path: str
    keyword: str | None
    problem: str
    type: str | None
    module: str | None
    value: str | None
    expected: str

    @property
    def error(self) -> bool:
        """Whether the standard forbids it; another term than the defined ones is only unusual."""
        return self.problem in ERRORS


@dataclass(frozen=True, slots=True)
class Judged:
    """What one object says of itself, and what isn't as it should be."""

    sop_class: str
    iod: str | None
    """None: the SOP class has no IOD in the table, so that only the form of its elements was judged"""
    problems: tuple[Problem, ...]


def problems(source: BinaryIO | Path) -> list[Problem]:
    """What isn't as the standard wants it in one stored object (a seekable stream, or a file).

    Raises UnreadableHeader with a reason code and a byte offset; OSError passes through.
    """
    return list(judge(source).problems)


def judge(source: BinaryIO | Path) -> Judged:
    """Like `problems`, with the SOP class that was gone by."""
    if isinstance(source, Path):
        with source.open("rb") as stream:
            return judge(stream)
    tree = read_tree(source)
    sop_class = tree.text(_SOP_CLASS)
    definition = iod(sop_class)
    found = _Found()
    _forms(tree, found)
    if definition is not None:
        _attributes(tree, definition, found)
    return Judged(sop_class, definition.key if definition else None, tuple(found.rows.values())[:MAX_PROBLEMS])


_Steps = tuple[tuple[int, int], ...]
"""sequences an element stands in, each with the number of the item"""


@dataclass(slots=True)
class _Found:
    """Problems, one for each path and kind; the first to say it is kept, unless a later one is stricter."""

    rows: dict[tuple[str, str], Problem] = field(default_factory=dict)

    def add(self, problem: Problem) -> None:
        key = problem.path, problem.problem
        known = self.rows.get(key)
        if known is None or (problem.type or "9") < (known.type or "9"):
            self.rows[key] = problem


def _name(one: int) -> str:
    return f"({one >> 16:04X},{one & 0xFFFF:04X})"


def _keyword(one: int) -> str | None:
    return keyword_for_tag(one) or None


def _forms(tree: Tree, found: _Found) -> None:
    allowed = iod_values.general()

    def walk(item: Item, at: _Steps, outer: Codec) -> None:
        own = item.get(CHARACTER_SET)
        inside = codec(repair(uid_text(own.raw))) if own is not None and not own.empty else outer
        for number, value in item.items():
            one = _Element(tree, at, number, value)
            for fault in iod_forms.faults(number, value, inside):
                found.add(one.problem(fault.problem, fault.expected))
            for allow in allowed.get(number, ()):
                _check(one, allow, found)
            for place, nested in enumerate(value.items or (), start=1):
                walk(nested, (*at, (number, place)), inside)

    walk(tree.elements, (), codec(DEFAULT))


@dataclass(frozen=True, slots=True)
class _Element:
    """One element, there or not, at its place in an object."""

    tree: Tree
    at: _Steps
    tag: int
    value: Value | None = None

    def problem(self, kind: str, expected: str, asked: str | None = None, module: str | None = None) -> Problem:
        """A problem of this element."""
        there = self.value is not None and kind not in ("missing", "empty")
        shown = _shown(self.tree, self.tag, self.value) if there and self.value is not None else None
        path = "".join(f"{_name(one)}[{number}]" for one, number in self.at) + _name(self.tag)
        return Problem(path, _keyword(self.tag), kind, asked, module, shown, expected)


def _check(one: _Element, allow: iod_values.Allowed, found: _Found) -> None:
    if one.value is None or one.value.items is not None or one.value.empty:
        return
    terms = _terms(one.tree, one.value)
    judged = terms if allow.position is None else terms[allow.position : allow.position + 1]
    # an empty value among several says nothing
    if any(term and term not in allow.values for term in judged):
        expected = f"{' | '.join(sorted(allow.values))} ({allow.section})" if len(allow.values) < 20 else allow.section
        found.add(one.problem("value" if allow.closed else "term", expected))


def _terms(tree: Tree, value: Value) -> list[str]:
    if value.vr in ("US", "SS", "UL", "SL"):
        text, _ = as_text(value.vr, value.raw, tree.little, codec(DEFAULT))
        return (text or "").split("\\")
    return [part.strip(" \0") for part in uid_text(value.raw).split("\\")]


def _shown(tree: Tree, number: int, value: Value) -> str | None:
    if number >> 16 == 0x0010 or number >> 16 & 1 or value.vr not in _TELLING:
        return None
    text = uid_text(value.raw) if value.vr in ("CS", "DS", "IS") else as_text(
        value.vr, value.raw, tree.little, codec(DEFAULT)
    )[0] or ""  # fmt: skip
    plain = "".join(sign if sign.isprintable() else "?" for sign in text)
    return plain if len(plain) <= SHOWN else plain[: SHOWN - 1] + "…"


def _attributes(tree: Tree, definition: Iod, found: _Found) -> None:
    modules = [module for module in definition.modules if _holds(module, tree)]
    needed = frozenset(
        asked.tag
        for module in modules
        if module.usage == "M"
        for asked in module.attributes
        if asked.type in ("1", "2")
    )
    for module in modules:
        _walk(Place(tree.elements, tree, needed), module, module.attributes, (), found)
    for number, allow in iod_values.of_iod(definition.key).items():
        _check(_Element(tree, (), number, tree.elements.get(number)), allow, found)
    for number, expected in _contradictions(tree, definition):
        found.add(_Element(tree, (), number, tree.elements[number]).problem("value", expected))
    for fault in faults_of_groups(tree, definition.key):
        found.add(Problem(_name(fault.tag), _keyword(fault.tag), "missing", "1", fault.module, None, fault.expected))


def _holds(module: Module, tree: Tree) -> bool:
    if module.usage == "M":
        return True
    condition = MODULES.get(module.key) if module.usage == "C" else None
    if condition is not None:
        return bool(condition(Place(tree.elements, tree, frozenset())))
    kinds = {asked.tag: asked.type for asked in module.attributes if asked.tag in module.own}
    # an optional attribute without a value, or of zero, is what a form leaves behind, no sign of the module
    return any(
        kind in ("1", "2") or not (value.empty or value.raw.strip(b" \0") == b"0")
        for number, kind in kinds.items()
        if (value := tree.elements.get(number)) is not None
    )


def _walk(here: Place, module: Module, attributes: Iterable[Asked], at: _Steps, found: _Found) -> None:
    for asked in attributes:
        number, kind, inner = asked
        value = here.item.get(number)
        if number in PIXEL_TAGS and not at:
            value = here.tree.pixels
        one = _Element(here.tree, at, number, value)
        if value is None:
            if here.tree.whole and required(module.key, number, kind, here):
                wanted = "present, with a value" if kind[0] == "1" else "present, empty when unknown"
                found.add(one.problem("missing", wanted, kind, module.title))
        elif value.empty:
            if kind[0] == "1":
                found.add(one.problem("empty", "a value", kind, module.title))
        elif value.items is not None and inner:
            # a functional group may stand in the shared or in the per-frame sequence: what is asked of it is in
            # `faults_of_groups`, and here only what stands inside it
            groups = number in SHARED_OR_PER_FRAME
            for place, item in enumerate(value.items, start=1):
                below = (*at, (number, place))
                some = (each for each in inner if not groups or each.tag in item)
                _walk(Place(item, here.tree, here.required), module, some, below, found)


def _contradictions(tree: Tree, definition: Iod) -> Iterator[tuple[int, str]]:
    """Samples per Pixel as the photometric interpretation wants it; one frame where the IOD has no others."""
    samples, frames = tree.elements.get(_SAMPLES), tree.elements.get(_FRAMES)
    photometric = tree.text(_PHOTOMETRIC)
    if samples is not None and not samples.empty:
        wanted = {"MONOCHROME1": "1", "MONOCHROME2": "1", "PALETTE COLOR": "1"}.get(photometric)
        wanted = "3" if photometric.startswith(("RGB", "YBR_")) else wanted
        if wanted is not None and _terms(tree, samples) != [wanted]:
            yield _SAMPLES, f"{wanted} with {photometric} (PS3.3 C.7.6.3.1.2)"
    if frames is not None and not frames.empty and tag("NumberOfFrames") not in definition.tags:
        count = _terms(tree, frames)[0]
        if count.isdecimal() and int(count) > 1:
            yield _FRAMES, "1: the IOD has no multi-frame images"

"""Redirects an object's references: each that named an old UID names the new one, all else keeps its bytes."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from fonds.dicom import tree
from fonds.dicom.changes import ORIGINAL, OWN_UIDS, SOP_UID, Change, is_uid
from fonds.dicom.elements import Element, Encoding, Walker, vr_of
from fonds.dicom.references import Pointer, Slot, needs_lengthy, pointers, references, said
from fonds.dicom.relations import LENGTHY
from fonds.dicom.tags import tag_number
from fonds.dicom.tree import Coding, Item, Part
from fonds.dicom.values import Elements, uid_text
from fonds.errors import CoercionRefused

Names: TypeAlias = "tuple[str | None, str | None, str | None, str | None]"
"""UIDs of the study, series, object and frame of reference a reference names; None for what it doesn't name."""

MAX_SEQUENCE = 512 * 1024 * 1024
MAX_SEARCHED = 64 * 1024 * 1024
# Sequences of whose items each names one study or series and lists what is in it (PS3.3 C.17.2.1, C.12.2, C.11.11,
# C.8.8.5): an item is divided by copying it. Any other item says more than that, and is never divided.
_LISTS = frozenset(
    map(
        tag_number,
        (
            "CurrentRequestedProcedureEvidenceSequence",
            "PertinentOtherEvidenceSequence",
            "PredecessorDocumentsSequence",
            "IdenticalDocumentsSequence",
            "StudiesContainingOtherReferencedInstancesSequence",
            "ReferencedSeriesSequence",
            "RTReferencedStudySequence",
            "RTReferencedSeriesSequence",
        ),
    )
)


def renamed(change: Change) -> dict[Names, Names]:
    """What each reference of a change of `references` names before and after; raises CoercionRefused.

    What a reference doesn't name it doesn't name afterwards either.
    """
    try:
        before, after = (_names(json.loads(text or "")) for text in (change.before, change.after))
    except (ValueError, TypeError):
        raise CoercionRefused("the references to change are no lists of UIDs", reason="references") from None
    if len(before) != len(after) or len(set(before)) != len(before):
        raise CoercionRefused("the references to change aren't told one for one", reason="references")
    found = {}
    for old, new in zip(before, after, strict=True):
        study, series, sop, frame = (n if o is not None else None for o, n in zip(old, new, strict=True))
        if frame != old[3] or not all(is_uid(n) for o, n in zip(old, (study, series, sop), strict=False) if o != n):
            raise CoercionRefused("a reference can't follow to what is no UID", reason="uid")
        found[old] = (study, series, sop, frame)
    return found


def redirected(
    walker: Walker, elements: Mapping[int, Element], wanted: Mapping[Names, Names], own: Iterable[Change]
) -> dict[int, bytes]:
    """The top-level elements that change, each whole, by tag. `own` are changes of the object's own UIDs.

    Raises CoercionRefused: ``before-differs`` (the object has no such reference), ``reference-split`` (one item names
    for several objects what they no longer share), ``reference-ambiguous``, ``uid-elsewhere`` (an old UID stands where
    nobody knows what it means), ``unparseable``, ``too-large``.
    """
    return _Redirection(walker, elements, wanted, own).elements()


@dataclass(frozen=True, slots=True, eq=False)
class _Told:
    """One reference of the object: where its UIDs stand, what it names, and what it is to name."""

    slots: tuple[Slot | None, ...]
    before: Names
    after: Names


class _Redirection:
    """One object's sequences as trees, and what runs through their items."""

    def __init__(
        self, walker: Walker, elements: Mapping[int, Element], wanted: Mapping[Names, Names], own: Iterable[Change]
    ) -> None:
        self.walker = walker
        self.old = {before[2] for before, after in wanted.items() if before[2] != after[2]}
        self.old |= {change.before for change in own if change.tag == SOP_UID and change.after != change.before}
        self.trees = dict(self._trees(elements))
        self.plain = {tag: ("UI", walker.raw(one)) for tag, one in elements.items() if one.vr == "UI"}
        self.unknown = [one for one in elements.values() if one.vr == "UN" and one.tag not in self.trees]
        self.root = self._root(self.trees)
        above: dict[int, frozenset[int]] = {}
        for part in self.trees.values():
            _descend(part, frozenset(), above)
        self.told: list[_Told] = []
        self.through: dict[int, list[_Told]] = {}
        for pointer, before, after in self._resolved(wanted):
            self.told.append(_Told(_slots(pointer), before, after))
            for item in _path(pointer, above):
                self.through.setdefault(item, []).append(self.told[-1])

    def elements(self) -> dict[int, bytes]:
        """What changes at top level, each element whole."""
        new: dict[int, bytes] = {}
        for tag, part in self.trees.items():
            if any(one.before != one.after for one in self._carried(part)):
                new[tag] = part.written(b"".join(self._items(part, None)))
        for one in self.told:
            for slot, uid in _demands(one, self.root):
                if uid != said(slot):
                    new[slot.tag] = Encoding(self.walker.frame.implicit, self.walker.frame.little).element(
                        slot.tag, "UI", uid.encode("ascii")
                    )
        self._prove(new)
        return new

    def _trees(self, elements: Mapping[int, Element]) -> Iterator[tuple[int, Part]]:
        coding = Coding(self.walker.frame.implicit, self.walker.frame.little)
        for tag, element in elements.items():
            of_items = element.vr == "SQ" or (element.vr == "UN" and (element.undefined or vr_of(tag) == "SQ"))
            # what an object said before is its history: it keeps the old UIDs
            if not of_items or tag == ORIGINAL:
                continue
            if element.length > MAX_SEQUENCE:
                raise CoercionRefused("a sequence is too large to be changed in memory", reason="too-large")
            yield tag, tree.read(self.walker.bytes_at(element.start, element.end - element.start), coding)

    def _root(self, trees: Mapping[int, Part]) -> Elements:
        """The object's elements as the reader of references takes them."""
        below: Elements = {
            tag: ("SQ", [item.elements for item in part.items]) for tag, part in trees.items() if part.items is not None
        }
        return below | self.plain

    def _resolved(self, wanted: Mapping[Names, Names]) -> list[tuple[Pointer, Names, Names]]:
        """Every reference with what it is to name: what is catalogued by itself, the others by what they repeat."""
        short = {tag: value for tag, value in self.root.items() if tag not in LENGTHY}
        listed = references(self.root if needs_lengthy(short) else short)
        known = {(one.study_uid, one.series_uid, one.sop_uid, one.frame_of_reference_uid) for one in listed}
        found = [(pointer, _named(pointer)) for pointer in pointers(self.root)]
        if wanted.keys() - {names for _, names in found}:
            raise CoercionRefused("the object has no reference that is to change; crawl again", reason="before-differs")
        known |= wanted.keys()
        naming: dict[tuple[int, str | None], list[Names]] = {}
        for names in known:
            for level, uid in enumerate(names):
                naming.setdefault((level, uid), []).append(names)
        repeated = {names: self._repeated(names, naming, wanted) for _, names in found if names not in known}
        return [(pointer, names, repeated.get(names) or wanted.get(names, names)) for pointer, names in found]

    def _repeated(
        self, names: Names, naming: Mapping[tuple[int, str | None], list[Names]], wanted: Mapping[Names, Names]
    ) -> Names:
        """What a frame or contour is to name: as the object's short list has it of the same object."""
        level = next(place for place in (2, 1, 0, 3) if names[place] is not None)
        alike = [
            one
            for one in naming.get((level, names[level]), ())
            if all(a is None or b is None or a == b for a, b in zip(one, names, strict=True))
        ]
        news = {
            tuple(
                old if old is None or told is None else new
                for old, told, new in zip(names, one, wanted.get(one, one), strict=True)
            )
            for one in alike
        }
        if len(news) > 1:
            raise CoercionRefused("a frame's reference may mean several objects", reason="reference-ambiguous")
        if not news and names[2] in self.old:
            raise CoercionRefused("an old UID stands in a reference that isn't catalogued", reason="uid-elsewhere")
        study, series, sop, frame = next(iter(news), names)
        return study, series, sop, frame

    def _carried(self, part: Part) -> Iterator[_Told]:
        """The references in a sequence."""
        for item in part.items or ():
            yield from self.through.get(id(item.elements), ())

    def _items(self, part: Part, chosen: set[_Told] | None) -> Iterator[bytes]:
        """The items of a sequence, of those with references only what carries `chosen` (None: all).

        An item is divided where it names for several references what isn't one any more.
        """
        for item in part.items or ():
            carried = self.through.get(id(item.elements), [])
            mine = carried if chosen is None else [one for one in carried if one in chosen]
            if not carried:
                yield item.stored()
            elif mine:
                groups = _groups(mine, item.elements)
                if len(groups) > 1 and part.tag not in _LISTS:
                    raise CoercionRefused(
                        "one item names for several objects what they no longer share", reason="reference-split"
                    )
                for values, members in groups:
                    yield self._copy(item, values, None if len(groups) == 1 and chosen is None else set(members))

    def _copy(self, item: Item, values: Mapping[int, str], chosen: set[_Told] | None) -> bytes:
        """The item with new UIDs, and of its sequences with references what carries `chosen`."""
        parts: list[tuple[Part, bytes]] = []
        for part in item.parts:
            if any(True for _ in self._carried(part)):
                content = list(self._items(part, chosen))
                if content:
                    parts.append((part, part.written(b"".join(content))))
            elif part.items is None and part.tag in values and uid_text(part.value) != values[part.tag]:
                raw = values[part.tag].encode("ascii")
                parts.append((part, part.written(raw + b"\0" * (len(raw) % 2))))
            else:
                parts.append((part, part.stored()))
        return item.written(parts)

    def _prove(self, new: Mapping[int, bytes]) -> None:
        """That all references say what they are to say, and that no old UID stands where nobody knows what it means."""
        coding = Coding(self.walker.frame.implicit, self.walker.frame.little)
        trees = self.trees | {tag: tree.read(new[tag], coding) for tag in new if tag in self.trees}
        root = self._root(trees)
        for tag in new.keys() - self.trees.keys():
            root[tag] = ("UI", new[tag][8:])
        found = list(pointers(root))
        if Counter(map(_named, found)) != Counter(one.after for one in self.told):
            raise CoercionRefused("an item can't be divided among what it names", reason="reference-split")
        old = [uid.encode("ascii", "replace") for uid in self.old if uid]
        if not old:
            return
        known = {(id(slot.item), slot.tag) for pointer in found for slot in _slots(pointer) if slot is not None}
        search = re.compile(rb"(?<![0-9.])(?:" + b"|".join(map(re.escape, old)) + rb")(?![0-9.])")
        left = [value for tag, (_, value) in self.plain.items() if tag not in OWN_UIDS and (id(root), tag) not in known]
        # what is longer than any sequence in practice is no list of UIDs
        left += [self.walker.raw(one) for one in self.unknown if one.length <= MAX_SEARCHED]
        for part in trees.values():
            left += _unknown(part, known)
        if any(isinstance(value, bytes) and search.search(value) for value in left):
            raise CoercionRefused("an old UID stands where nobody knows what it means", reason="uid-elsewhere")


def _groups(mine: list[_Told], item: Elements) -> list[tuple[dict[int, str], list[_Told]]]:
    """References by what they want the item itself to say; those that don't contradict one another go together."""
    groups: list[tuple[dict[int, str], list[_Told]]] = []
    for one in mine:
        values = {slot.tag: uid for slot, uid in _demands(one, item)}
        for known, members in groups:
            if all(known.get(tag, uid) == uid for tag, uid in values.items()):
                known.update(values)
                members.append(one)
                break
        else:
            groups.append((values, [one]))
    return groups


def _demands(one: _Told, item: Elements) -> Iterator[tuple[Slot, str]]:
    """What a reference wants to stand in an item's own elements."""
    for slot, uid in zip(one.slots, one.after, strict=True):
        if slot is not None and uid is not None and slot.item is item:
            yield slot, uid


def _unknown(part: Part, known: set[tuple[int, int]]) -> Iterator[bytes]:
    """Values inside a sequence that may be UIDs, and are none of a known reference."""
    if part.items is None:
        yield part.value
    for item in part.items or ():
        for inner in item.parts:
            if inner.vr in ("SQ", "UN", "UI") and (id(item.elements), inner.tag) not in known:
                yield from _unknown(inner, known)


def _descend(part: Part, outer: frozenset[int], above: dict[int, frozenset[int]]) -> None:
    for item in part.items or ():
        here = above[id(item.elements)] = outer | {id(item.elements)}
        for inner in item.parts:
            _descend(inner, here, above)


def _path(pointer: Pointer, above: Mapping[int, frozenset[int]]) -> frozenset[int]:
    places = [above.get(id(slot.item), frozenset[int]()) for slot in _slots(pointer) if slot is not None]
    return max(places, key=len)


def _slots(pointer: Pointer) -> tuple[Slot | None, ...]:
    return pointer.study, pointer.series, pointer.sop, pointer.frame


def _named(pointer: Pointer) -> Names:
    return said(pointer.study), said(pointer.series), said(pointer.sop), said(pointer.frame)


def _names(given: object) -> list[Names]:
    """Lists of four UIDs as names; raises ValueError for anything else."""
    if not isinstance(given, list):
        raise ValueError
    found: list[Names] = []
    for one in given:
        if not isinstance(one, list) or any(uid is not None and not isinstance(uid, str) for uid in one):
            raise ValueError
        study, series, sop, frame = one
        found.append((study, series, sop, frame))
    return found

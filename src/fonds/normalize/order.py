"""Puts the rules of each source in one order, and refuses what has none or would depend on it."""

from __future__ import annotations

from itertools import combinations, pairwise
from pathlib import Path
from typing import NamedTuple

from fonds.errors import DefinitionInvalid
from fonds.normalize.definition import Pack, Placed, load, ordered, settings_file
from fonds.normalize.rules import Map, Rule
from fonds.project.settings import Project

# What a person wrote as it came to mind; and what it must not decide alone: the side and the part of the body
FREE_TEXT = (
    *("StudyDescription", "SeriesDescription", "ProtocolName", "PerformedProcedureStepDescription", "PatientComments"),
    *("RequestedProcedureDescription", "ContentLabel", "DocumentTitle"),
)
GUARDED = ("Laterality", "ImageLaterality", "BodyPartExamined")


class Ordered(NamedTuple):
    """The rules of each source in the order in which they act, and all files of the packs in use."""

    rules: dict[str, tuple[Placed, ...]]
    paths: tuple[Path, ...]


def pipelines(project: Project, read: dict[str, Pack] | None = None) -> Ordered:
    """The rules of each source in the order in which they act: base, department, sites, site as its list says.

    Raises ContentNotFound, or DefinitionInvalid naming both rules when two contradict each other.
    """
    lists = dict.fromkeys(source.packs for source in project.sources.values())
    references = tuple(dict.fromkeys(name for names in lists for name in names))
    loaded = load(project, references, settings_file(project), read)
    orders: dict[tuple[str, ...], tuple[Placed, ...]] = {}
    for references in lists:
        packs = ordered(loaded, references)
        _ids_differ(packs)
        _conflicts(packs, references)
        acting = [rule for pack in packs.values() for rule in pack.rules]
        orders[references] = tuple(sorted(acting, key=lambda placed: placed.rule.late))
        _order_dependence(orders[references])
        _from_free_text(orders[references])
    paths = tuple(path for pack in loaded.values() for path in pack.paths)
    return Ordered({name: orders[source.packs] for name, source in project.sources.items()}, paths)


def _ids_differ(packs: dict[str, Pack]) -> None:
    seen: dict[str, Placed] = {}
    for pack in packs.values():
        for placed in pack.rules:
            other = seen.setdefault(placed.rule.id, placed)
            if other is not placed:
                _refuse(placed, f"the rule id {placed.rule.id} is taken by the pack {other.pack}")


def _conflicts(packs: dict[str, Pack], references: tuple[str, ...]) -> None:
    """Two rules on one attribute must stand in one pack, or in packs that a list of packs puts in order."""
    listed = [reference.partition("@")[0] for reference in references]
    after: dict[str, set[str]] = {name: set() for name in packs}
    for first, second in pairwise(listed):
        after[first].add(second)
    for name, pack in packs.items():
        parents = [parent.partition("@")[0] for parent in pack.file.extends]
        for first, second in pairwise([*parents, name]):
            after[first].add(second)
        for parent in parents:
            after[parent].add(name)
    for one, other in combinations(packs, 2):
        if other in _reached(after, one) or one in _reached(after, other):
            continue
        for left in packs[one].rules:
            for right in packs[other].rules:
                shared = sorted(set(left.rule.attributes) & set(right.rule.attributes))
                if shared and _overlap(left.rule, right.rule):
                    _refuse(
                        right,
                        f"rules {left.rule.id} of {one} and {right.rule.id} of {other} both change {shared[0]} and "
                        f"nothing says which comes first: name both packs in the source's `packs`, in their order",
                    )


def _reached(after: dict[str, set[str]], start: str) -> set[str]:
    reached: set[str] = set()
    waiting = [start]
    while waiting:
        for name in after[waiting.pop()] - reached:
            reached.add(name)
            waiting.append(name)
    return reached


def _overlap(left: Rule, right: Rule) -> bool:
    pairs = (
        (left.scope.source, right.scope.source),
        (left.scope.department, right.scope.department),
        (left.scope.modality, right.scope.modality),
    )
    return all(not one or not other or set(one) & set(other) for one, other in pairs)


def _order_dependence(rules: tuple[Placed, ...]) -> None:
    """A rule that looks at an attribute stands after all rules that change it: else a second run differs."""
    for number, placed in enumerate(rules):
        for later in rules[number + 1 :]:
            read = [word for word in placed.reads() if word in later.rule.attributes and _bears(placed, word, later)]
            own = set(placed.rule.attributes) & set(read)
            if read and not own and _overlap(placed.rule, later.rule):
                _refuse(
                    placed,
                    f"rule {placed.rule.id} looks at {read[0]}, which the later rule {later.rule.id} changes: "
                    f"put {placed.rule.id} after it",
                )


def _from_free_text(rules: tuple[Placed, ...]) -> None:
    """Side and body part never come from free text unless a person looks, not by way of another attribute either."""
    told = set(FREE_TEXT)
    for placed in rules:
        heard = [word for word in placed.reads() if word in told] if placed.rule.needs != "steward" else []
        if guarded := [word for word in placed.rule.attributes if heard and word in GUARDED]:
            _refuse(
                placed,
                f"rule {placed.rule.id} changes {guarded[0]} by what {heard[0]} says, which is free text or comes from "
                f"it: write needs: steward",
            )
        told |= set(placed.rule.attributes) if heard else set()


def _bears(placed: Placed, word: str, later: Placed) -> bool:
    """Whether the later rule can change what the rule sees: most can't make a value empty, or an empty one full."""
    if not placed.reads_only_emptiness(word):
        return True
    if isinstance(later.rule, Map):
        return "" in (later.table or {}).values()
    return later.rule.fills_or_empties()


def _refuse(placed: Placed, text: str) -> None:
    raise DefinitionInvalid(str(placed.path), [(placed.line, text)])

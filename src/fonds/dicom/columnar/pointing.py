"""References of one object from the items of its sequences, as `references.references` finds them.

Compiled by numba. Items stand in the order of the object, each after the one around it, so one pass forward inherits
study, series and frame of reference from the item around, and one pass backward tells what has references below it.
"""

# Kernels are loops over bytes with many ways out, and numba wants plain arguments; it has one type of integers.
# ruff: noqa: PLR0912, PLR0917
# mypy: disable-error-code="no-any-return,return-value"

from __future__ import annotations

from fonds.dicom.columnar.compiling import inner
from fonds.dicom.columnar.plan import OF_STUDY, RELATION, Bytes, Ints, Plan
from fonds.dicom.columnar.sheet import MAX_PATHS, PATHS, REFERENCES, TEXT, Growing, entry
from fonds.dicom.columnar.walk import (
    LENGTH,
    NODE_SEQUENCE,
    NODES,
    PARENT,
    TOP,
    VALUE,
    VR,
    Scratch,
    blank,
)

BAD = -2
# columns of `Scratch.node_work`
STUDY, SERIES, FRAME, SOP, CLASS, PATH, OWN, ONE, BELOW = range(9)


@inner
def uid_entry(data: Bytes, value: Ints, out: Growing) -> int:
    """Entry of a UID of an item; -1 when it has none, BAD when it holds bytes no UID has."""
    if value[VR] < 0:
        return -1
    at = value[VALUE]
    end = at + value[LENGTH]
    while at < end and blank(data[at]):
        at += 1
    while end > at and blank(data[end - 1]):
        end -= 1
    if at == end:
        return -1
    for i in range(at, end):
        if data[i] >= 128:
            return BAD
    return entry(data, at, end - at, TEXT, out.arena, out.entries, out.slots, out.used)


@inner
def path_entry(outer: int, sequence: int, paths: Ints, used: Ints) -> int:
    """Number of the path of sequences that goes on from `outer`; BAD when there are too many."""
    for number in range(used[PATHS]):
        if paths[number, 0] == outer and paths[number, 1] == sequence:
            return number
    number = used[PATHS]
    if number == MAX_PATHS:
        return BAD
    paths[number, 0], paths[number, 1] = outer, sequence
    used[PATHS] = number + 1
    return number


@inner
def put_references(data: Bytes, row: int, kind: int, plan: Plan, scratch: Scratch, out: Growing) -> bool:
    """Append the object's distinct references; False when it has to be read in another way."""
    count, work, nodes = scratch.state[NODES], scratch.work, scratch.nodes
    for node in range(count):
        work[node, OWN] = work[node, ONE] = work[node, BELOW] = 0
        if plan.sequences[nodes[node, TOP], RELATION + kind] < 0:
            continue
        outer, sequence = nodes[node, PARENT], nodes[node, NODE_SEQUENCE]
        path = path_entry(work[outer, PATH] if outer >= 0 else -1, sequence, out.paths, out.used)
        if path == BAD:
            return False
        for place in range(5):
            work[node, place] = uid_entry(data, scratch.leaves[node, plan.reference_leaves[place]], out)
            if work[node, place] == BAD:
                return False
        sop, of_study = work[node, SOP], plan.sequences[sequence, OF_STUDY] == 1
        if of_study:
            work[node, STUDY] = sop
        own_series, outer_frame = work[node, SERIES] >= 0, -1
        if outer >= 0:
            outer_frame = work[outer, FRAME]
            for place in range(3):
                if work[node, place] < 0:
                    work[node, place] = work[outer, place]
        work[node, PATH], work[node, OWN] = path, sop >= 0 and not of_study
        of_frame = work[node, FRAME] != outer_frame
        work[node, ONE] = (own_series or of_frame or (of_study and sop >= 0)) and (sop < 0 or of_study)
    for node in range(count - 1, -1, -1):
        outer = nodes[node, PARENT]
        if outer >= 0 and (work[node, OWN] or work[node, ONE] or work[node, BELOW]):
            work[outer, BELOW] = 1
    first = out.used[REFERENCES]
    for node in range(count):
        if not work[node, OWN] and (not work[node, ONE] or work[node, BELOW]):
            continue
        if not work[node, OWN]:
            work[node, SOP] = work[node, CLASS] = -1
        put_reference(
            first, row, plan.sequences[nodes[node, TOP], RELATION + kind], work[node], out.references, out.used
        )
    return True


@inner
def put_reference(first: int, row: int, relation: int, work: Ints, table: Ints, used: Ints) -> None:
    """Append one, unless the object (whose references begin at `first`) has it already."""
    last = used[REFERENCES]
    for i in range(first, last):
        known = table[i]
        same = known[2] == relation and known[3 + SOP] == work[SOP]
        for place in range(5):
            same = same and known[3 + place] == work[place]
        if same:
            return
    table[last, 0], table[last, 1], table[last, 2] = row, work[PATH], relation
    for place in range(5):
        table[last, 3 + place] = work[place]
    used[REFERENCES] = last + 1

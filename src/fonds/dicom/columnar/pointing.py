"""References of one object from the items of its sequences, as `references.references` finds them.

Compiled by numba. Items stand in the order of the object, each after the one around it, so one pass forward inherits
study, series and frame of reference from the item around, and one pass backward tells what has references below it.
"""

# Kernels are loops over bytes with many ways out, and numba wants plain arguments; it has one type of integers.
# ruff: noqa: PLR0912, PLR0917
# mypy: disable-error-code="no-any-return,return-value"

from __future__ import annotations

from fonds.dicom.columnar.compiling import inner
from fonds.dicom.columnar.plan import (
    CLASS_LEAF,
    CODE_LEAF,
    CONCEPT_SEQUENCE,
    CONCEPTS,
    CREATORS,
    FRAME_LEAVES,
    LISTS,
    OF_STUDY,
    OTHERWISE,
    POINTS,
    RELATION,
    SERIES_LEAF,
    SOP_LEAVES,
    SOURCE_SLOT,
    STUDY_LEAF,
    UID_LEAF,
    Bytes,
    Ints,
    Plan,
)
from fonds.dicom.columnar.sheet import MAX_PATHS, PATHS, REFERENCES, TEXT, Growing, entry
from fonds.dicom.columnar.walk import (
    LENGTH,
    MAX_NODES,
    NODE_SEQUENCE,
    NODES,
    NUMBER_IN,
    PARENT,
    TOP,
    VALUE,
    VR,
    Scratch,
    blank,
    find,
)

BAD = -2
DEAD = -2
"""Path of an item that holds no references."""
# columns of `Scratch.work`: entries, in the order of the levels of concepts; what else is known of an item
STUDY, SERIES, FRAME, SOP, CLASS, PATH, STATED, LEVEL, UID, OWN, ONE, BELOW = range(12)


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
def first_entry(data: Bytes, node: int, begin: int, end: int, plan: Plan, scratch: Scratch, out: Growing) -> int:
    """Entry of the first UID an item has among these places of `Plan.reference_leaves`; -1 or BAD as `uid_entry`."""
    for place in range(begin, end):
        found = uid_entry(data, scratch.leaves[node, plan.reference_leaves[place]], out)
        if found != -1:
            return found
    return -1


@inner
def put_references(
    data: Bytes, row: int, kind: int, framewise: bool, plan: Plan, scratch: Scratch, out: Growing
) -> bool:
    """Append the object's distinct references; False when it has to be read in another way.

    `framewise` objects have to when no short list names their sources.
    """
    count, work, nodes, sequences = scratch.state[NODES], scratch.work, scratch.nodes, plan.sequences
    listed = not framewise
    for node in range(count):
        if not look_at_item(data, node, kind, plan, scratch, out):
            return False
    for node in range(count - 1, -1, -1):
        if work[node, PATH] == DEAD:
            continue
        outer = nodes[node, PARENT]
        if outer >= 0 and (work[node, OWN] or work[node, ONE] or work[node, BELOW] or work[node, LEVEL] >= 0):
            work[outer, BELOW] = 1
        if sequences[nodes[node, TOP], LISTS] and (work[node, OWN] or work[node, LEVEL] == SOP):
            listed = True
    if not listed:
        return False
    first, single = out.used[REFERENCES], work[MAX_NODES]
    source = uid_entry(data, scratch.columns[plan.special[SOURCE_SLOT]], out)
    if source == BAD:
        return False
    if source >= 0:
        path = path_entry(-1, -1, out.paths, out.used)
        if path == BAD:
            return False
        single[STUDY:PATH], single[SOP], single[PATH] = -1, source, path
        put_reference(first, row, 0, single, out.references, out.used)
    for node in range(count):
        if work[node, PATH] == DEAD:
            continue
        relation = work[node, STATED]
        if relation < 0:
            relation = sequences[nodes[node, TOP], OTHERWISE]
        if work[node, OWN]:
            put_reference(first, row, relation, work[node], out.references, out.used)
        if work[node, LEVEL] >= 0:
            single[STUDY:PATH], single[PATH] = -1, work[node, PATH]
            single[work[node, LEVEL]] = work[node, UID]
            put_reference(first, row, relation, single, out.references, out.used)
        if work[node, ONE] and not work[node, BELOW]:
            work[node, SOP] = work[node, CLASS] = -1
            put_reference(first, row, relation, work[node], out.references, out.used)
    return True


@inner
def look_at_item(data: Bytes, node: int, kind: int, plan: Plan, scratch: Scratch, out: Growing) -> bool:
    """Find out what an item names, by itself and by the items around it; False when it isn't sure."""
    work, nodes, leaves = scratch.work, scratch.nodes, plan.reference_leaves
    outer, sequence = nodes[node, PARENT], nodes[node, NODE_SEQUENCE]
    work[node, OWN] = work[node, ONE] = work[node, BELOW] = 0
    work[node, PATH], work[node, LEVEL] = DEAD, -1
    if not plan.sequences[nodes[node, TOP], POINTS] or (outer >= 0 and work[outer, PATH] == DEAD):
        return True
    if sequence == plan.special[CONCEPT_SEQUENCE]:
        value = scratch.leaves[node, leaves[CODE_LEAF]]
        if outer >= 0 and nodes[node, NUMBER_IN] == 0 and value[VR] >= 0:
            first = plan.special[CONCEPTS]
            number = find(
                data, value[VALUE], value[LENGTH], plan.texts, plan.places, first, plan.special[CREATORS] - first
            )
            if number >= 0:
                work[outer, UID] = uid_entry(data, scratch.leaves[outer, leaves[UID_LEAF]], out)
                work[outer, LEVEL] = plan.flags[number] if work[outer, UID] >= 0 else -1
                return work[outer, UID] != BAD
        return True
    path = path_entry(work[outer, PATH] if outer >= 0 else -1, sequence, out.paths, out.used)
    study = first_entry(data, node, STUDY_LEAF, SERIES_LEAF, plan, scratch, out)
    series = first_entry(data, node, SERIES_LEAF, CLASS_LEAF, plan, scratch, out)
    sop_class = first_entry(data, node, CLASS_LEAF, UID_LEAF, plan, scratch, out)
    sop = first_entry(data, node, SOP_LEAVES, FRAME_LEAVES, plan, scratch, out)
    frame = first_entry(data, node, FRAME_LEAVES, leaves.size, plan, scratch, out)
    if min(path, study, series, sop_class, sop, frame) == BAD:
        return False
    of_study = plan.sequences[sequence, OF_STUDY] == 1
    if of_study and sop >= 0:
        study = sop
    names = study >= 0 or series >= 0
    stated = plan.sequences[sequence, RELATION + kind]
    outer_frame = -1
    if outer >= 0:
        outer_frame = work[outer, FRAME]
        study = work[outer, STUDY] if study < 0 else study
        series = work[outer, SERIES] if series < 0 else series
        frame = outer_frame if frame < 0 else frame
        stated = work[outer, STATED] if work[outer, STATED] >= 0 else stated
    work[node, STUDY], work[node, SERIES], work[node, FRAME] = study, series, frame
    work[node, SOP], work[node, CLASS], work[node, PATH], work[node, STATED] = sop, sop_class, path, stated
    work[node, OWN] = sop >= 0 and not of_study
    work[node, ONE] = (names or frame != outer_frame) and (sop < 0 or of_study)
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

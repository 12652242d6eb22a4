"""From what was seen of one object to its row: plain texts as views, other values as entries, references as rows.

Compiled by numba.
"""

# Kernels are loops over bytes with many ways out, and numba wants plain arguments; it has one type of integers.
# ruff: noqa: PLR0917
# mypy: disable-error-code="no-any-return,return-value"

from __future__ import annotations

from fonds.dicom.columnar.compiling import inner
from fonds.dicom.columnar.pixels import locate_pixels
from fonds.dicom.columnar.plan import (
    ANY,
    CHARSET_SLOT,
    CLASS,
    CLASS_SLOT,
    COLUMNS,
    CONCEPTS,
    FACT,
    FIRST_PLACE,
    IS_CODED,
    IS_META,
    NO_TEXT,
    NUMBER,
    ORIGINAL_SEQUENCE,
    OTHER_ID,
    PRESENTATIONS,
    REQUEST,
    SEGMENTATION_CLASSES,
    SEGMENTED,
    SOURCE_SLOT,
    SYNTAXES,
    Bytes,
    Ints,
    Plan,
)
from fonds.dicom.columnar.pointing import BAD, put_references
from fonds.dicom.columnar.sheet import (
    ARENA,
    CELLS,
    CONTEXT,
    CONTEXT_ENTRY,
    ENTRIES,
    FACTS,
    HEADER_LENGTH,
    LOOK,
    NOTES,
    ORIGINAL,
    OTHER_IDS,
    PARTIAL,
    PIXEL_LENGTH,
    REFERENCES,
    REQUESTS,
    SYNTAX_NUMBER,
    TEXT,
    Growing,
    Sheet,
    entry,
    equal,
    put_text,
)
from fonds.dicom.columnar.walk import (
    DONE,
    HAS_PIXELS,
    HEADER_END,
    IS_LITTLE,
    LENGTH,
    NODES,
    NUMBER_IN,
    ODD,
    PARENT,
    SYNTAX,
    TOP,
    TRIMMED,
    VALUE,
    VR,
    Scratch,
    blank,
    find,
)
from fonds.dicom.parsed import CHARACTER_SET
from fonds.dicom.relations import LEAVES

FULL = 3
_CHARSET = LEAVES.index(CHARACTER_SET)


@inner
def take(data: Bytes, avail: int, size: int, row: int, plan: Plan, scratch: Scratch, sheet: Sheet, out: Growing) -> int:
    """Put the object that was walked into `row`: DONE, ODD (nothing was put), or FULL when a table has no room."""
    state = scratch.state
    columns = plan.special[COLUMNS]
    used, nodes = out.used, state[NODES]
    room = out.entries.shape[0] - columns - 16 * nodes - 16
    if used[ENTRIES] > room or used[CELLS] > room or used[REFERENCES] > room or used[REQUESTS] > room:
        return FULL
    if used[OTHER_IDS] > room or used[ARENA] + 3 * avail > out.arena.size:
        return FULL
    kind, framewise = kind_of_object(data, scratch.columns, plan.special, plan.texts, plan.places)
    beyond = measure_texts(data, columns, plan.vrs, plan.columns, scratch.columns)
    at, length = declared_charset(data, scratch.columns[plan.special[CHARSET_SLOT]])
    context = entry(data, at, length, CONTEXT + beyond, out.arena, out.entries, out.slots, used)
    references, requests, other_ids = used[REFERENCES], used[REQUESTS], used[OTHER_IDS]
    numbers = sheet.rows[row]
    numbers[FACTS:] = -1
    pointing = nodes > 0 or framewise or scratch.columns[plan.special[SOURCE_SLOT], VR] >= 0
    if pointing and not (
        put_references(data, row, kind, framewise, plan, scratch, out)
        and put_facts(data, row, context, plan, scratch, numbers, out)
    ):
        used[REFERENCES], used[REQUESTS], used[OTHER_IDS] = references, requests, other_ids
        return ODD
    put_columns(data, row, context, columns, plan, scratch.columns, state[IS_LITTLE], sheet, out)
    numbers[HEADER_LENGTH], numbers[SYNTAX_NUMBER], numbers[CONTEXT_ENTRY] = state[HEADER_END], state[SYNTAX], context
    numbers[ORIGINAL] = scratch.present[plan.special[ORIGINAL_SEQUENCE]]
    numbers[PIXEL_LENGTH], numbers[PARTIAL], numbers[NOTES], numbers[LOOK] = -1, 0, 0, 0
    if state[HAS_PIXELS]:
        locate_pixels(data, avail, size, plan, state, numbers)
    return DONE


@inner
def kind_of_object(data: Bytes, columns: Ints, special: Ints, texts: Bytes, places: Ints) -> tuple[int, bool]:
    """What the object's SOP class makes of its references, and whether its frames may name sources of their own."""
    slot, presentation = special[CLASS_SLOT], special[SYNTAXES]
    if slot < 0 or columns[slot, VR] < 0:
        return ANY, False
    at, length = trimmed_both(data, columns[slot, VALUE], columns[slot, LENGTH])
    start, first = places[presentation], presentation + 1
    prefix = places[first] - start
    if prefix <= length and equal(data, at, texts, start, prefix):
        return PRESENTATIONS, False
    number = find(data, at, length, texts, places, first, special[CONCEPTS] - first)
    return SEGMENTED if first <= number < first + SEGMENTATION_CLASSES else ANY, number >= 0


@inner
def declared_charset(data: Bytes, column: Ints) -> tuple[int, int]:
    """Place and length of Specific Character Set, without padding; no length when there is none."""
    return trimmed_both(data, column[VALUE], column[LENGTH]) if column[VR] >= 0 else (0, 0)


@inner
def trimmed_both(data: Bytes, at: int, length: int) -> tuple[int, int]:
    """Place and length without padding at either end."""
    end = at + length
    while at < end and blank(data[at]):
        at += 1
    while end > at and blank(data[end - 1]):
        end -= 1
    return at, end - at


@inner
def trimmed(data: Bytes, at: int, length: int) -> int:
    """Length without padding at the end."""
    while length > 0 and blank(data[at + length - 1]):
        length -= 1
    return length


@inner
def plain(data: Bytes, at: int, length: int) -> bool:
    """Whether all of it is ASCII, and no escape sequence (PS3.5 6.1.2.5) begins in it."""
    high, escape = 0, 0
    for i in range(at, at + length):
        high |= data[i]
        escape |= data[i] == 27
    return high < 128 and escape == 0


@inner
def measure_texts(data: Bytes, count: int, vrs: Ints, flags: Ints, columns: Ints) -> int:
    """Length of each plain text; 1 when any value of a coded VR holds bytes beyond ASCII."""
    beyond = 0
    for number in range(count):
        column = columns[number]
        if column[VR] < 0:
            continue
        at, length = column[VALUE], column[LENGTH]
        if vrs[column[VR], CLASS] != NUMBER and plain(data, at, length):
            column[TRIMMED] = trimmed(data, at, length)
            continue
        column[TRIMMED] = -1
        if flags[number, IS_CODED]:
            for i in range(at, at + length):
                if data[i] >= 128:
                    beyond = 1
    return beyond


@inner
def put_columns(
    data: Bytes, row: int, context: int, count: int, plan: Plan, columns: Ints, little: int, sheet: Sheet, out: Growing
) -> None:
    """Each column's value: a view of plain text, or a cell that waits for its text."""
    views, valid, last, arena, used = sheet.views, sheet.valid, sheet.last, out.arena, out.used
    for number in range(count):
        column = columns[number]
        vr = column[VR]
        if vr < 0:
            continue
        at, length = column[VALUE], column[TRIMMED]
        if length >= 0:
            put_text(data, at, length, views[number, row], last[number], arena, used)
            valid[number, row] = 1
            continue
        length, kind = column[LENGTH], vr | (little | plan.columns[number, IS_META]) << 8
        if plan.vrs[vr, CLASS] != NUMBER:
            length = trimmed(data, at, length)
            kind |= context << 16
        cell = used[CELLS]
        used[CELLS] = cell + 1
        out.cells[cell, 0], out.cells[cell, 1] = row, number
        out.cells[cell, 2] = entry(data, at, length, kind, arena, out.entries, out.slots, used)


@inner
def fact(data: Bytes, node: int, leaf: int, context: int, plan: Plan, scratch: Scratch, out: Growing) -> int:
    """Entry of a text of an item; -1 without one, BAD when the item has a character set of its own and needs it."""
    value = scratch.leaves[node, leaf]
    vr = value[VR]
    if vr < 0 or plan.vrs[vr, CLASS] == NO_TEXT:
        return -1
    at, length = value[VALUE], value[LENGTH]
    kind = vr | scratch.state[IS_LITTLE] << 8
    if plan.vrs[vr, CLASS] != NUMBER:
        length = trimmed(data, at, length)
        kind |= context << 16
        own = scratch.leaves[node, _CHARSET]
        if plain(data, at, length):
            kind = TEXT
        elif own[VR] >= 0 and not same_charset(data, own, scratch.columns[plan.special[CHARSET_SLOT]]):
            return BAD
    return entry(data, at, length, kind, out.arena, out.entries, out.slots, out.used)


@inner
def same_charset(data: Bytes, own: Ints, column: Ints) -> bool:
    """Whether an item declares the character set its object declares (PS3.5 7.5.3)."""
    here, own_length = trimmed_both(data, own[VALUE], own[LENGTH])
    at, length = declared_charset(data, column)
    return own_length == length and equal(data, here, data, at, length)


@inner
def put_facts(data: Bytes, row: int, context: int, plan: Plan, scratch: Scratch, numbers: Ints, out: Growing) -> bool:
    """What top-level items say: accession numbers, other patient IDs, issuers, the title; False when it isn't sure."""
    found, nodes, used = scratch.found, scratch.nodes, out.used
    for node in range(scratch.state[NODES]):
        kind = plan.sequences[nodes[node, TOP], FACT]
        if kind == 0 or nodes[node, PARENT] >= 0:
            continue
        for i in range(3):
            leaf = plan.facts[kind, i]
            found[i] = fact(data, node, leaf, context, plan, scratch, out) if leaf >= 0 else -1
            if found[i] == BAD:
                return False
        if kind == REQUEST:
            out.requests[used[REQUESTS], 0], out.requests[used[REQUESTS], 1] = row, found[0]
            used[REQUESTS] += 1
        elif kind == OTHER_ID:
            out.other_ids[used[OTHER_IDS], 0] = row
            for i in range(3):
                out.other_ids[used[OTHER_IDS], i + 1] = found[i]
            used[OTHER_IDS] += 1
        elif nodes[node, NUMBER_IN] == 0:
            for i in range(3):
                if plan.facts[kind, i] >= 0:
                    numbers[FACTS + plan.facts[kind, FIRST_PLACE] + i] = found[i]
    return True

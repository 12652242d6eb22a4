"""Walks the elements of one object: where the value of each wanted element lies, and the items of wanted sequences.

Compiled by numba. No byte outside ``data[:avail]`` is read. What the functions aren't sure of they call ODD, and the
object is read in another way. Offsets count from the beginning of `data`; `size` is where the object itself ends.
"""

# Kernels are loops over bytes with many ways out, and numba wants plain arguments; it has one type of integers.
# ruff: noqa: PLR0911, PLR0912, PLR0915, PLR0917, PLR1714
# mypy: disable-error-code="no-any-return,return-value"

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from fonds.dicom.columnar.compiling import inner
from fonds.dicom.columnar.plan import (
    BIG,
    CLASS,
    CREATORS,
    DEFLATED,
    DICTIONARY,
    FIRST_SEQUENCE,
    HEAD,
    IMPLICIT,
    ITEM,
    ITEM_END,
    NEVER,
    NO_TEXT,
    NONE,
    PIXELS,
    ROLE,
    SEQUENCE_END,
    SQ,
    SYNTAXES,
    TAG,
    UN,
    UNDEFINED,
    Bytes,
    Ints,
    Plan,
)

DONE, SHORT, ODD = 0, 1, 2
MAX_DEPTH = 32
MAX_NODES = 8192

# places in `Scratch.state`
AT, NEXT, PREVIOUS, FOUND, IS_IMPLICIT, IS_LITTLE, SYNTAX, HEADER_END, HAS_PIXELS, NODES = range(10)
# columns of `Scratch.stack`
KIND, END, NODE, SEQUENCE, POINTER, LAST, COUNT = range(7)
IN_SEQUENCE, IN_ITEM = 0, 1


# columns of `Scratch.columns` and `Scratch.leaves`
VALUE, LENGTH, VR, TRIMMED = range(4)
# columns of `Scratch.nodes`
PARENT, NODE_SEQUENCE, TOP, NUMBER_IN = range(4)


class Scratch(NamedTuple):
    """What is known of the object being walked; made once and used again for each."""

    state: Ints
    columns: Ints
    """place, length and VR (-1 where there is none) of each column's value; its length without padding (-1 when it
    isn't plain text)"""
    present: Ints
    """1 for each wanted sequence that is there"""
    nodes: Ints
    """items of wanted sequences, in the order of the object: item around it (-1 at top level), sequence, top-level
    sequence, number in its sequence"""
    leaves: Ints
    """place, length and VR (-1) of each item's values"""
    work: Ints
    """what is found out about each item's references, columns see `pointing`; the last row is for one by itself"""
    stack: Ints
    """a row for each level: item or sequence, its end, its node, its sequence, next wanted tag, previous tag, count"""
    blocks: Ints
    """block each private attribute's creator reserves, 0 none"""
    found: Ints
    """entries of one item's facts"""


def scratch(columns: int, sequences: int, leaves: int, privates: int) -> Scratch:
    """Room for one object."""

    def ints(*shape: int) -> Ints:
        return np.zeros(shape, dtype=np.int64)

    return Scratch(
        ints(10),
        ints(columns + 2, 4),
        ints(sequences),
        ints(MAX_NODES, 4),
        ints(MAX_NODES, leaves, 3),
        ints(MAX_NODES + 1, 12),
        ints(MAX_DEPTH, 7),
        ints(privates),
        ints(3),
    )


@inner
def u16(data: Bytes, at: int, little: bool) -> int:
    """A word of two bytes."""
    a, b = np.int64(data[at]), np.int64(data[at + 1])
    return a | b << 8 if little else a << 8 | b


@inner
def u32(data: Bytes, at: int, little: bool) -> int:
    """A word of four bytes."""
    a, b, c, d = np.int64(data[at]), np.int64(data[at + 1]), np.int64(data[at + 2]), np.int64(data[at + 3])
    return a | b << 8 | c << 16 | d << 24 if little else a << 24 | b << 16 | c << 8 | d


@inner
def vr_number(data: Bytes, at: int, vr_numbers: Ints) -> int:
    """Number of the VR whose two letters stand at `at`; 0 when they are none."""
    a, b = np.int64(data[at]) - 65, np.int64(data[at + 1]) - 65
    if a < 0 or a > 25 or b < 0 or b > 25:
        return 0
    return vr_numbers[a * 26 + b]


@inner
def blank(byte: int) -> bool:
    """A padding byte: space or NUL."""
    return byte == 32 or byte == 0


@inner
def put_value(row: Ints, value: int, length: int, vr: int) -> None:
    """Note where a value lies."""
    row[VALUE], row[LENGTH], row[VR] = value, length, vr


@inner
def begin(scratch: Scratch) -> None:
    """Forget the object before."""
    scratch.state[:] = 0
    scratch.state[PREVIOUS] = -1
    scratch.columns[:, VR] = -1
    scratch.present[:] = 0
    scratch.blocks[:] = 0


@inner
def read_meta(data: Bytes, avail: int, size: int, plan: Plan, scratch: Scratch) -> int:
    """Preamble and file meta information (PS3.10 7.1): where the data set begins and how it is encoded."""
    state = scratch.state
    if avail < 132:
        return ODD
    if data[128] != 68 or data[129] != 73 or data[130] != 67 or data[131] != 77:
        return ODD
    at, pointer, previous, little = 132, 0, -1, True
    syntax, syntax_length = -1, 0
    vr_numbers, vrs, meta = plan.vr_numbers, plan.vrs, plan.meta
    while True:
        if at + 12 > avail:
            return SHORT if avail < size else ODD
        if u16(data, at, little) != 2:
            break
        tag = 2 << 16 | u16(data, at + 2, little)
        vr = vr_number(data, at + 4, vr_numbers)
        if vr == 0 or vr == SQ or tag <= previous:
            return ODD
        previous = tag
        value = at + vrs[vr, HEAD]
        length = u16(data, at + 6, little) if vrs[vr, HEAD] == 8 else u32(data, at + 8, little)
        if value + length > size:
            return ODD
        while meta[pointer, TAG] < tag:
            pointer += 1
        at = value + length
        if tag == 0x00020010 or meta[pointer, TAG] == tag:
            if at > avail:
                return SHORT
            if tag == 0x00020010:
                syntax, syntax_length = value, length
            if meta[pointer, TAG] == tag:
                if vrs[vr, CLASS] == NO_TEXT:
                    return ODD
                column = meta[pointer, ROLE]
                put_value(scratch.columns[column], value, length, vr)
    if syntax < 0 or at + 8 > size:
        return ODD
    number = find(data, syntax, syntax_length, plan.texts, plan.places, 0, plan.special[SYNTAXES])
    if number < 0:
        return ODD
    flags = plan.flags[number]
    implicit = not (65 <= data[at + 4] <= 90 and 65 <= data[at + 5] <= 90)
    little = flags & BIG == 0
    if (data[at] == 0) != (data[at + 1] == 0):
        little = data[at + 1] == 0
    if flags & DEFLATED or implicit != (flags & IMPLICIT != 0) or little != (flags & BIG == 0):
        return ODD
    state[AT], state[SYNTAX], state[IS_IMPLICIT], state[IS_LITTLE] = at, number, implicit, little
    return DONE


@inner
def find(data: Bytes, at: int, length: int, texts: Bytes, places: Ints, first: int, count: int) -> int:
    """Number of the text that equals the bytes at `at` without padding around them; -1 when none does."""
    end = at + length
    while at < end and blank(data[at]):
        at += 1
    while end > at and blank(data[end - 1]):
        end -= 1
    for number in range(first, first + count):
        start = places[number]
        if places[number + 1] - start == end - at:
            same = True
            for i in range(end - at):
                if texts[start + i] != data[at + i]:
                    same = False
                    break
            if same:
                return number
    return -1


@inner
def walk(data: Bytes, avail: int, size: int, plan: Plan, scratch: Scratch) -> int:
    """The data set from ``state[AT]`` on, to the pixel data or the end. After SHORT it can go on with more bytes."""
    state, tags = scratch.state, plan.tags
    at, pointer, previous = state[AT], state[NEXT], state[PREVIOUS]
    implicit, little = state[IS_IMPLICIT] != 0, state[IS_LITTLE] != 0
    vr_numbers, vrs = plan.vr_numbers, plan.vrs
    privates = plan.private.shape[0] > 0
    wanted = tags[pointer, TAG]
    vr = 0
    while True:
        if at + 12 > avail:
            if at >= size:
                if at > size or state[FOUND] == 0:
                    return ODD
                state[HEADER_END] = size
                return DONE
            if avail < size:
                break
            if at + 8 > avail:
                return ODD
        group = u16(data, at, little)
        tag = group << 16 | u16(data, at + 2, little)
        if tag <= previous:
            return ODD
        if implicit:
            vr, value, length = 0, at + 8, u32(data, at + 4, little)
        else:
            vr = vr_number(data, at + 4, vr_numbers)
            if vr == 0:
                return ODD
            if vrs[vr, HEAD] == 8:
                value, length = at + 8, u16(data, at + 6, little)
            else:
                if at + 12 > avail:
                    return ODD
                value, length = at + 12, u32(data, at + 8, little)
        while wanted < tag:
            pointer += 1
            wanted = tags[pointer, TAG]
        role, dictionary_vr = NONE, 0
        if wanted == tag:
            role, dictionary_vr = tags[pointer, ROLE], tags[pointer, DICTIONARY]
        elif privates and group & 1:
            outcome = private(data, tag, value, length, avail, size, plan, scratch)
            if outcome == -ODD:
                return ODD
            if outcome == -SHORT:
                break
            if outcome > 0:
                role, dictionary_vr = plan.private[outcome - 1, 3], plan.private[outcome - 1, 4]
        if role == NONE and length != UNDEFINED:
            at, previous = value + length, tag
            continue
        if role == NEVER or (role == PIXELS and state[FOUND] == 0):
            return ODD
        if role == PIXELS:
            state[HEADER_END], state[HAS_PIXELS] = at, 1
            return DONE
        vr = resolved(data, value, length, avail, size, implicit, little, vr, role != NONE, dictionary_vr)
        if vr == -ODD:
            return ODD
        if vr == -SHORT:
            break
        if vr == SQ:
            if role >= 0:
                return ODD
            first = state[NODES]
            end = walk_sequence(data, value, length, avail, size, FIRST_SEQUENCE - role if role != NONE else -1,
                                plan, scratch)  # fmt: skip
            if end == -ODD:
                return ODD
            if end == -SHORT:
                state[NODES] = first
                break
            if role != NONE:
                scratch.present[FIRST_SEQUENCE - role] = 1
                state[FOUND] += 1
            at, previous = end, tag
            continue
        if role < 0:
            return ODD
        if value + length > avail:
            if value + length > size:
                return ODD
            break
        put_value(scratch.columns[role], value, length, vr if vrs[vr, CLASS] != NO_TEXT else dictionary_vr)
        state[FOUND] += 1
        at, previous = value + length, tag
    state[AT], state[PREVIOUS] = at, previous
    # the table is searched again from its beginning: a merge can't go back, and this happens once an object
    state[NEXT] = 0
    return SHORT


@inner
def private(data: Bytes, tag: int, value: int, length: int, avail: int, size: int, plan: Plan, scratch: Scratch) -> int:
    """1 + the number of the private attribute that has this tag in this object, 0 for none (PS3.5 7.8.1)."""
    group, number = tag >> 16, tag & 0xFFFF
    for i in range(plan.private.shape[0]):
        if plan.private[i, 0] != group:
            continue
        if 0x10 <= number <= 0xFF:
            if value + length > size:
                return -ODD
            if value + length > avail:
                return -SHORT
            creator = plan.special[CREATORS] + plan.private[i, 2]
            if scratch.blocks[i] == 0 and find(data, value, length, plan.texts, plan.places, creator, 1) >= 0:
                scratch.blocks[i] = number
        elif scratch.blocks[i] == number >> 8 and number >> 8 != 0 and plan.private[i, 1] == number & 0xFF:
            return i + 1
    return 0


@inner
def resolved(
    data: Bytes, value: int, length: int, avail: int, size: int, implicit: bool, little: bool, vr: int, known: bool,
    dictionary_vr: int,
) -> int:  # fmt: skip
    """The VR to go by: the dictionary's where the element states none, SQ where items follow."""
    if implicit:
        vr = dictionary_vr if known else 0
        if vr == 0 and length == UNDEFINED:
            if value + 4 > avail:
                return -SHORT if avail < size else -ODD
            first = u16(data, value, little) << 16 | u16(data, value + 2, little)
            return SQ if first in (ITEM, SEQUENCE_END) else -ODD
    elif vr == UN:
        vr = dictionary_vr if known else vr
        if vr == SQ:
            return -ODD  # implicit VR inside explicit (PS3.5 6.2.2)
    return -ODD if length == UNDEFINED and vr != SQ else vr


@inner
def walk_sequence(
    data: Bytes, at: int, length: int, avail: int, size: int, top: int, plan: Plan, scratch: Scratch
) -> int:
    """Where the sequence whose value begins at `at` ends; items become nodes when it is wanted (`top` from 0 on)."""
    state, stack = scratch.state, scratch.stack
    implicit, little = state[IS_IMPLICIT] != 0, state[IS_LITTLE] != 0
    short = -SHORT if avail < size else -ODD
    if length != UNDEFINED and at + length > avail:
        return -SHORT if at + length <= size else -ODD
    vr_numbers, vrs, nested, nodes = plan.vr_numbers, plan.vrs, plan.nested, scratch.nodes
    level = 0
    stack[0, KIND], stack[0, END], stack[0, NODE], stack[0, SEQUENCE] = IN_SEQUENCE, -1, -1, top
    stack[0, COUNT] = 0
    if length != UNDEFINED:
        stack[0, END] = at + length
    while level >= 0:
        end = stack[level, END]
        limit = end if end >= 0 else avail
        if end >= 0 and at >= end:
            if at > end:
                return -ODD
            level -= 1
            continue
        if at + 8 > limit:
            return -ODD if end >= 0 else short
        tag = u16(data, at, little) << 16 | u16(data, at + 2, little)
        sequence = stack[level, SEQUENCE]
        if stack[level, KIND] == IN_SEQUENCE:
            extent = u32(data, at + 4, little)
            at += 8
            if tag == SEQUENCE_END and end < 0:
                level -= 1
                continue
            if tag != ITEM:
                return -ODD
            if extent != UNDEFINED and at + extent > limit:
                return -ODD if end >= 0 or at + extent > size else short
            if sequence < 0 and extent != UNDEFINED:
                at += extent
                continue
            if level + 1 >= MAX_DEPTH:
                return -ODD
            level += 1
            stack[level, KIND], stack[level, SEQUENCE], stack[level, NODE] = IN_ITEM, sequence, -1
            stack[level, END] = at + extent if extent != UNDEFINED else -1
            stack[level, POINTER], stack[level, LAST] = 0, -1
            if sequence >= 0:
                node = state[NODES]
                if node >= MAX_NODES:
                    return -ODD
                state[NODES] = node + 1
                nodes[node, PARENT] = stack[level - 1, NODE]
                nodes[node, NODE_SEQUENCE], nodes[node, TOP] = sequence, top
                nodes[node, NUMBER_IN] = stack[level - 1, COUNT]
                scratch.leaves[node, :, VR] = -1
                stack[level - 1, COUNT] += 1
                stack[level, NODE] = node
            continue
        if tag == ITEM_END and end < 0:
            at += 8
            level -= 1
            continue
        if tag in (ITEM, ITEM_END, SEQUENCE_END):
            return -ODD
        vr, value, length = 0, at + 8, 0
        if implicit:
            length = u32(data, at + 4, little)
        else:
            vr = vr_number(data, at + 4, vr_numbers)
            if vr == 0:
                return -ODD
            if vrs[vr, HEAD] == 8:
                length = u16(data, at + 6, little)
            else:
                if at + 12 > limit:
                    return -ODD if end >= 0 else short
                length, value = u32(data, at + 8, little), at + 12
        role, dictionary_vr = NONE, 0
        if sequence >= 0:
            if tag <= stack[level, LAST]:
                return -ODD
            stack[level, LAST] = tag
            pointer = stack[level, POINTER]
            while nested[pointer, TAG] < tag:
                pointer += 1
            stack[level, POINTER] = pointer
            if nested[pointer, TAG] == tag:
                role, dictionary_vr = nested[pointer, ROLE], nested[pointer, DICTIONARY]
        vr = resolved(data, value, length, limit, size if end < 0 else limit, implicit, little, vr, role != NONE,
                      dictionary_vr)  # fmt: skip
        if vr < 0:
            return vr
        if vr == SQ and (role != NONE or length == UNDEFINED):
            if role >= 0 or level + 1 >= MAX_DEPTH:
                return -ODD
            if length != UNDEFINED and value + length > limit:
                return -ODD if end >= 0 or value + length > size else short
            node = stack[level, NODE]
            level += 1
            stack[level, KIND], stack[level, NODE], stack[level, COUNT] = IN_SEQUENCE, node, 0
            stack[level, SEQUENCE] = FIRST_SEQUENCE - role if role != NONE else -1
            stack[level, END] = value + length if length != UNDEFINED else -1
            at = value
            continue
        at = value + length
        if at > limit:
            return -ODD if end >= 0 or at > size else short
        if role != NONE:
            if role < 0:
                return -ODD
            node = stack[level, NODE]
            put_value(scratch.leaves[node, role], value, length, vr)
    return at

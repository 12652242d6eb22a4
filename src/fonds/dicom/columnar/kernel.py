"""The kernel: one fused walk over many headers that lie side by side in one buffer."""

# Kernels are loops over bytes with many ways out, and numba wants plain arguments; it has one type of integers.
# ruff: noqa: PLR0917
# mypy: disable-error-code="no-any-return,return-value"

from __future__ import annotations

from collections.abc import Callable

from fonds.dicom.columnar.compiling import STAMP, kept
from fonds.dicom.columnar.plan import Bytes, Ints, Plan
from fonds.dicom.columnar.sheet import ROWS, Growing, Sheet
from fonds.dicom.columnar.take import FULL, take
from fonds.dicom.columnar.walk import DONE, ODD, Scratch, begin, read_meta, walk

Kernel = Callable[[Bytes, Ints, Ints, Bytes, int, Plan, Scratch, Sheet, Growing], int]


def _kernel(stamp: str) -> Kernel:
    @kept
    def read_heads(
        heads: Bytes, lengths: Ints, sizes: Ints, outcomes: Bytes, start: int, plan: Plan, scratch: Scratch,
        sheet: Sheet, out: Growing,
    ) -> int:  # fmt: skip
        count = heads.shape[0] if len(stamp) > 0 else 0
        for number in range(start, count):
            data, avail, size = heads[number], lengths[number], sizes[number]
            outcome = ODD
            if avail == min(size, heads.shape[1]):
                begin(scratch)
                outcome = read_meta(data, avail, size, plan, scratch)
                if outcome == DONE:
                    outcome = walk(data, avail, size, plan, scratch)
                if outcome == DONE:
                    row = out.used[ROWS]
                    outcome = take(data, avail, size, row, plan, scratch, sheet, out)
                    if outcome == FULL:
                        return number
                    if outcome == DONE:
                        out.used[ROWS] = row + 1
            outcomes[number] = outcome
        return count

    return read_heads


read_heads = _kernel(STAMP)
"""(heads, lengths, sizes, outcomes, start, plan, scratch, sheet, out): the object it stopped at because a table of
`out` is full, their number when it is through. `outcomes` becomes DONE, SHORT or ODD for each."""

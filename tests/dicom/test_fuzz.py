"""Real objects damaged at random: each ends as a row or as a reason with its place, soon, and in little memory.

`FONDS_FUZZ=100000 pytest tests/dicom/test_fuzz.py` takes that many objects in the limited process; with
`NUMBA_BOUNDSCHECK=1 NUMBA_CACHE_DIR=$(mktemp -d)` the kernel looks at every index itself.
"""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fonds.dicom.terms import LONG_VRS, SHORT_VRS
from fonds.errors import UnreadableHeader
from tests.crawl.made_files import Encoding, deflated, image, part10
from tests.dicom.made import wheel_file
from tests.dicom.readers import at_once, one_by_one

NAMES = (
    "CT_small.dcm", "MR_small_implicit.dcm", "MR_small_bigendian.dcm", "MR_small_RLE.dcm", "test-SR.dcm", "rtplan.dcm",
    "nested_priv_SQ.dcm", "UN_sequence.dcm", "SC_rgb_rle_2frame.dcm", "chrX1.dcm", "ExplVR_LitEndNoMeta.dcm",
    "DICOMDIR", "image_dfl.dcm", "reportsi.dcm", "priv_SQ.dcm", "liver_1frame.dcm",
)  # fmt: skip
CODES = re.compile("|".join(sorted(LONG_VRS | SHORT_VRS)).encode())
EXTREMES = (b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", b"\0\0\0\x80", b"\xfe\xff\xff\xff", b"\0\0\0\0", b"\1\0\0\0",
            b"\xff\xff", b"\xfe\xff", b"\0\0", b"\xff\xff\0\0")  # fmt: skip


def seeds() -> list[bytes]:
    """Heads of real objects and of made ones, some of them with all of their pixel data."""
    made = [part10(image(), Encoding(undefined=False)), deflated(image()), part10(image(), Encoding(implicit=True))]
    return [wheel_file(name).read_bytes()[:9000] for name in NAMES] + made


def damaged(whole: bytes, chance: random.Random) -> bytes:
    """One to four faults: bits turned, lengths set to extremes, pieces taken away, doubled, moved, and a cut."""
    data = bytearray(whole)
    for _ in range(chance.randint(1, 4)):
        if not data:
            break
        at = chance.randrange(len(data))
        other = min(at + chance.choice((1, 2, 4, 8, 30, 200)), len(data))
        what = chance.randrange(7)
        if what == 0:
            data[at] ^= 1 << chance.randrange(8)
        elif what in (1, 2):
            found = CODES.search(data, at)  # the length of the next element
            place = found.end() + chance.choice((0, 2)) if found else at
            extreme = chance.choice(EXTREMES)
            data[place : place + len(extreme)] = extreme
        elif what == 3:
            del data[at:other]
        elif what == 4:
            data[at:at] = data[at:other] * chance.choice((1, 1, 50))
        elif what == 5:
            data[at:other] = chance.randbytes(other - at)
        else:
            del data[at:]
    return bytes(data)


def outcomes(objects: list[bytes]) -> Counter[str]:
    """What became of each, held together: a row of the fast way is the row of the other."""
    counts: Counter[str] = Counter()
    for data, fast, slow in zip(objects, at_once(objects), one_by_one(objects), strict=True):
        if isinstance(slow, UnreadableHeader):
            assert fast is None, slow.reason
            inflated = b"1.2.840.10008.1.2.1.99" in data[:400]  # its places are those of the inflated data set
            assert slow.byte_offset is not None
            assert slow.byte_offset >= 0
            assert inflated or slow.byte_offset <= len(data), (slow.reason, slow.byte_offset, len(data))
            assert slow.message
            counts[slow.reason] += 1
        else:
            assert isinstance(slow, dict)
            assert slow["read_status"] in ("ok", "forced", "partial")
            assert fast is None or fast == slow, [name for name in slow if fast[name] != slow[name]]
            counts["row" if fast is None else "fast row"] += 1
    return counts


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.sampled_from(seeds()), min_size=1, max_size=3), st.randoms(use_true_random=False))
def test_damaged_objects_end_as_a_row_or_a_reason(wholes: list[bytes], chance: random.Random) -> None:
    outcomes([damaged(whole, chance) for whole in wholes])


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=600))
def test_any_bytes_end_as_a_row_or_a_reason(data: bytes) -> None:
    outcomes([data, bytes(128) + b"DICM" + data, part10([])[:-2] + data])


PROGRAM = """
import json, random, resource, sys
from tests.dicom.test_fuzz import damaged, outcomes, seeds
from collections import Counter
outcomes(seeds())
pages = int(open("/proc/self/statm").read().split()[0])
limit = pages * resource.getpagesize() + (512 << 20)
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
counts, chance, wholes = Counter(), random.Random(int(sys.argv[2])), seeds()
for start in range(0, int(sys.argv[1]), 250):
    counts += outcomes([damaged(chance.choice(wholes), chance) for _ in range(250)])
print(json.dumps(counts))
"""


def test_thousands_of_damaged_objects_in_a_limited_process() -> None:
    count = int(os.environ.get("FONDS_FUZZ", "1000")) // 250 * 250
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(count), os.environ.get("FONDS_FUZZ_SEED", "1")],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=600 + count / 20,  # only against a hang: a busy machine is no failure
        check=False,
    )
    assert ended.returncode == 0, ended.stderr[-2000:]
    counts = json.loads(ended.stdout)
    assert sum(counts.values()) == count
    assert counts["fast row"] > count / 5
    assert counts["truncated_header"] > 0

"""pydicom's own files that share a SOP Instance UID: what was read of each group by hand (docs/duplicates-real.md)."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from pydicom.data import get_charset_files, get_testdata_file

from fonds.catalog.store import Catalog
from fonds.crawl import crawl
from fonds.deduplicate import deduplicate
from tests.handmade import make_project

# by group: the kept copy, and class and content of the others
GROUPS = {
    "liver_1frame": {"liver_expb_1frame": "b1"},
    "reportsi": {"reportsi_with_empty_number_tags": "c1"},
    "SC_rgb_small_odd": {"SC_rgb_small_odd_big_endian": "b1"},
    "SC_rgb_dcmtk_+eb+cy+n2": {"SC_ybr_full_422_uncompressed": "d2"},
    "ExplVR_BigEndNoMeta": {"ExplVR_LitEndNoMeta": "b1"},
    "SC_rgb_jpeg_dcmd": {"SC_rgb_jpeg": "d2"},
    "SC_rgb_jpeg_gdcm": {
        "SC_rgb_rle": "b1",
        "SC_rgb_rle_16bit": "d2",
        "SC_rgb_rle_16bit_2frame": "d3",
        "SC_rgb_rle_2frame": "d4",
        "SC_rgb_rle_32bit": "d5",
        "SC_rgb_rle_32bit_2frame": "d6",
    },
    "SC_jpeg_no_color_transform_2": {"SC_rgb_jpeg_app14_dcmd": "a1"},
    "chrJapMulti": {"chrJapMultiExplicitIR6": "b1"},
    "chrFren": {"chrFrenMulti": "c1"},
    "MR_small": {
        "MR_small_RLE": "b1",
        "MR_small_bigendian": "b1",
        "MR_small_expb": "b1",
        "MR_small_implicit": "b1",
        "MR_small_jp2klossless": "b1",
        "MR_small_jpeg_ls_lossless": "b1",
        "MR_small_padded": "b1",
        "MR_truncated": "d2",
    },
    "JPEG2000-embedded-sequence-delimiter": {"JPEG2000": "d2"},
    "JPEG-lossy": {"JPGExtended": "d2"},
    "badVR": {
        "rtdose": "c1",
        "rtdose_expb": "c1",
        "rtdose_rle": "c1",
        "rtdose_1frame": "d2",
        "rtdose_expb_1frame": "d2",
        "rtdose_rle_1frame": "d2",
    },
}


@pytest.mark.filterwarnings("ignore")
def test_real_copies_in_other_encodings_are_told_from_other_pixels(tmp_path: Path) -> None:
    project = make_project(tmp_path, "real")
    for kept, copies in GROUPS.items():
        for name in (kept, *copies):
            charset = [Path(path) for path in get_charset_files(f"{name}.dcm")]
            found = get_testdata_file(f"{name}.dcm") if not charset else charset[0]
            shutil.copy(str(found), project.source_root("real"))
    crawl(project)
    deduplicate(project)
    rows = Catalog(project).read("duplicates").to_dicts()
    told = {
        row["member"]: (row["kept_location"], f"{row['class']}{row['content']}")
        for row in rows
        if row["member"] != row["kept_location"] and row["class"] in "abcd"
    }
    assert told == {
        f"{name}.dcm": (f"{kept}.dcm", answer) for kept, copies in GROUPS.items() for name, answer in copies.items()
    }

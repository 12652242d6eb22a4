"""Writes src/fonds/dicom/tables/iod.json.gz from highdicom's tables of PS3.3 (docs/decisions/0009).

Run it after an update of highdicom: .venv/bin/python scripts/iod_table.py
"""

from __future__ import annotations

import gzip
import json
import sys
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pydicom.datadict import tag_for_keyword

OUT = Path(__file__).parents[1] / "src/fonds/dicom/tables/iod.json.gz"
# repeating groups have no tag of their own in pydicom's dictionary: the first group stands for all
OVERLAYS = {
    "OverlayRows": 0x60000010,
    "OverlayColumns": 0x60000011,
    "OverlayType": 0x60000040,
    "OverlayOrigin": 0x60000050,
    "OverlayBitsAllocated": 0x60000100,
    "OverlayBitPosition": 0x60000102,
    "OverlayData": 0x60003000,
}

Shape = list[list[Any]]


def table() -> dict[str, Any]:
    """sop_classes {UID: IOD}, iods {IOD: [[module, usage]]}, modules {module: shape}, shapes [[[tag, type, shape]]]."""
    spec = find_spec("highdicom")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit("highdicom isn't installed")
    folder = Path(next(iter(spec.submodule_search_locations))) / "_standard"
    attributes = json.loads((folder / "module_attribute_map.json").read_text(encoding="utf-8"))
    modules = json.loads((folder / "iod_module_map.json").read_text(encoding="utf-8"))
    classes = json.loads((folder / "sop_class_iod_map.json").read_text(encoding="utf-8"))
    used = {one["key"] for some in modules.values() for one in some} & attributes.keys()
    known: dict[str, int] = {}
    shapes: list[Shape] = []
    return {
        "source": f"highdicom {version('highdicom')} (MIT), extracted by its authors from PS3.3 and PS3.4",
        "sop_classes": classes,
        "iods": {name: [[one["key"], one["usage"]] for one in some] for name, some in modules.items()},
        "modules": {name: _shape(_tree(attributes[name]), known, shapes) for name in sorted(used)},
        "shapes": shapes,
    }


def _tree(rows: list[dict[str, Any]]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for row in rows:
        place = tree
        for keyword in row["path"]:
            place = place.setdefault(keyword, ["3", {}])[1]
        place.setdefault(row["keyword"], ["3", {}])[0] = row["type"]
    return tree


def _shape(tree: dict[str, Any], known: dict[str, int], shapes: list[Shape]) -> int:
    shape: Shape = []
    for keyword, (kind, children) in tree.items():
        tag = tag_for_keyword(keyword) or OVERLAYS.get(keyword)
        if tag is not None and kind in ("1", "1C", "2", "2C", "3"):
            shape.append([tag, kind, _shape(children, known, shapes) if children else -1])
    text = json.dumps(shape)
    if text not in known:
        known[text] = len(shapes)
        shapes.append(shape)
    return known[text]


if __name__ == "__main__":
    packed = gzip.compress(json.dumps(table(), separators=(",", ":")).encode(), mtime=0)
    OUT.write_bytes(packed)
    sys.stdout.write(f"{OUT.name}: {len(packed):,} bytes\n")

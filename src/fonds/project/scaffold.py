"""Makes a project folder: settings and flows are copied, packs stay shipped and are overlaid."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from fonds.errors import DefinitionInvalid
from fonds.project.definitions import read_yaml
from fonds.project.folders import MARKER, shipped

IGNORE = """\
catalog/
journal/
out/
target/
.prefect/
operations.db*
.env
"""
SETTINGS = """\
# What Fonds reads in this project. `fonds doctor` checks it and says what to fix.
name: {name}

# The legacy archives. Nothing is ever written to them.
sources:{sources}

# Where it goes. For an archive that takes C-STORE:
#   target: {{kind: dicom, host: archive.example, port: 11112, called_ae: ARCHIVE, calling_ae: FONDS}}
target:
  kind: folder
  path: target
"""
NO_SOURCE = """ {}
#  radiology:
#    path: /mnt/pacs               # a folder tree of DICOM files
#    department: radiology
#    issuer: RAD                   # assigning authority of patient IDs that name none
#    packs: [base@1, radiology@1, site@1]
"""
SITE_PACK = """\
# This site's own rules; they come after the shipped packs a source names in fonds.yaml. See docs/rules.md.
name: site
version: 1.0.0
description: Rules of this site
extends: [base@1]
files: []
"""
SECRETS = """\
# Copy to .env; read by Fonds, never committed.
# FONDS_PROJECT=/srv/fonds/hospital
"""


def init(folder: Path, *, sources: Mapping[str, Path] | None = None) -> None:
    """Scaffold a project; refuses a folder that is one already. Raises DefinitionInvalid."""
    if (folder / MARKER).exists():
        raise DefinitionInvalid(str(folder / MARKER), [(None, "exists already: this folder is a project")])
    folder.mkdir(parents=True, exist_ok=True)
    lines = "".join(f"\n  {name}:\n    path: {_quoted(path.resolve())}" for name, path in (sources or {}).items())
    settings = SETTINGS.format(name=_quoted(folder.resolve().name), sources=lines or NO_SOURCE)
    _content(folder)
    (folder / MARKER).write_text(settings, encoding="utf-8")


def demo_project(folder: Path) -> bool:
    """Scaffold the demo project on the sample hospitals; False when it is there already."""
    if (folder / MARKER).exists():
        return False
    folder.mkdir(parents=True, exist_ok=True)
    _content(folder)
    settings = (shipped() / "data_samples" / "demo.yaml").read_text(encoding="utf-8")
    samples = (shipped() / "data_samples" / "small").resolve()
    (folder / MARKER).write_text(settings.replace("${samples}", str(samples)), encoding="utf-8")
    read_yaml(folder / MARKER)
    return True


def _content(folder: Path) -> None:
    home = shipped()
    (folder / "flows").mkdir(exist_ok=True)
    for path in sorted((home / "flows").glob("*.*")):
        if path.suffix in {".py", ".yaml"}:
            shutil.copyfile(path, folder / "flows" / path.name)
    for name in ("prefect.yaml", "prefect.toml"):
        shutil.copyfile(home / name, folder / name)
    site = folder / "rules" / "site"
    site.mkdir(parents=True, exist_ok=True)
    for name in ("matchers", "reports"):
        (folder / name).mkdir(exist_ok=True)
    (site / "pack.yaml").write_text(SITE_PACK, encoding="utf-8")
    (folder / ".gitignore").write_text(IGNORE, encoding="utf-8")
    (folder / ".env.example").write_text(SECRETS, encoding="utf-8")


def _quoted(value: object) -> str:
    return '"' + str(value).replace("\\", "\\\\").replace('"', '\\"') + '"'

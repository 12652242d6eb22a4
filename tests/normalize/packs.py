"""A source as the sample radiology configures it, and packs of a project's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

RADIOLOGY: dict[str, Any] = {
    "path": "radiology",
    "department": "radiology",
    "issuer": "RAD-NORD",
    "accession_issuer": "RIS-NORD",
    "institution": "Klinikum Nord",
    "charset": "ISO_IR 100",
    "packs": ["base@1", "radiology@1", "sites@1"],
}


def configured(otherwise: dict[str, Any]) -> dict[str, Any]:
    """The radiology source with some settings otherwise; None takes one away."""
    return {name: value for name, value in (RADIOLOGY | otherwise).items() if value is not None}


def site_pack(root: Path, name: str, text: str, **more: str) -> Path:
    """A pack of the project with one theme file; `more` are further keys of pack.yaml."""
    folder = root / "rules" / name
    folder.mkdir(parents=True, exist_ok=True)
    keys = {"name": name, "version": "1.0.0", "files": "[theme.yaml]"} | more
    (folder / "pack.yaml").write_text("".join(f"{key}: {value}\n" for key, value in keys.items()), encoding="utf-8")
    (folder / "theme.yaml").write_text(text, encoding="utf-8")
    return folder


def a_map(attribute: str, term: str, spelling: str, rule: str = "site.one", scope: str = "{}") -> str:
    """A theme with one rule that maps one spelling."""
    return (
        f"rules:\n  - id: {rule}\n    title: A site's own\n    attributes: [{attribute}]\n    action: map\n"
        f"    scope: {scope}\n    table: {{{term}: [{spelling}]}}\n    examples:\n"
        f"      - {{name: another is left alone, before: zzz, after: zzz}}\n"
    )

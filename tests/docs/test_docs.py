"""The docs say what is so: commands, settings, tables and links in them exist, generated pages are fresh."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from fonds.cli.app import app
from fonds.project.settings import (
    DicomTarget,
    DicomwebSourceSettings,
    DimseSourceSettings,
    ExportSourceSettings,
    FeedSettings,
    FolderSourceSettings,
    InventorySourceSettings,
    ObjectStoreSettings,
    Pace,
    Settings,
)

SETTINGS = (
    *(Settings, DicomTarget, Pace, FolderSourceSettings, ObjectStoreSettings, DimseSourceSettings),
    *(DicomwebSourceSettings, ExportSourceSettings, InventorySourceSettings, FeedSettings),
)

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
COMMANDS = set(typer.main.get_command(app).commands)  # type: ignore[attr-defined]


def test_generated_pages_and_schemas_are_fresh() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "generate.py"), "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_every_command_has_an_example_and_stands_in_the_docs() -> None:
    words = "\n".join(path.read_text(encoding="utf-8") for path in PAGES)
    for name, command in typer.main.get_command(app).commands.items():  # type: ignore[attr-defined]
        assert f"Example: fonds {name}" in (command.help or ""), f"fonds {name} --help has no example"
        assert f"fonds {name}" in words, f"fonds {name} is not in the docs"


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_commands_and_links_in_a_page_exist(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for name in re.findall(r"^ {4,}(?:\.venv/bin/)?fonds ([a-z]+)", text, re.MULTILINE):
        assert name in COMMANDS, f"{path.name}: there is no command fonds {name}"
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for name in re.findall(r"^ {4,}make ([a-z]+)", text, re.MULTILINE):
        assert name in targets, f"{path.name}: there is no make target {name}"
    for link in re.findall(r"\]\((?!https?:)([^)#]+)[^)]*\)", text):
        assert (path.parent / link).exists(), f"{path.name} points to {link}, which isn't there"


def test_every_setting_is_documented() -> None:
    text = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    for model in SETTINGS:
        for name in model.model_fields:
            assert re.search(rf"^[# ]*{name}:", text, re.MULTILINE), f"docs/settings.md doesn't tell of {name}"

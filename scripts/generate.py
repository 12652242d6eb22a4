"""Writes what is generated from definitions: JSON Schemas below rules/schema, and the tables of the docs.

python scripts/generate.py          write them
python scripts/generate.py --check  exit 1 and name those that are stale
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from pydantic import BaseModel

from fonds.archives.export_mapping import Mapping
from fonds.assess.definition import SCHEMAS as CHECKS
from fonds.assess.definition import load_with_files
from fonds.assess.document import refresh
from fonds.assess.suites import SCHEMAS as GATES
from fonds.assess.thresholds import SCHEMAS as THRESHOLDS
from fonds.catalog.describe import page
from fonds.crawl.definition import SCHEMAS as PRECEDENCE
from fonds.deduplicate.definition import Policy
from fonds.deduplicate.study_model import StudyMatcher
from fonds.feeds.definition import FeedMapping
from fonds.link.definition import Context
from fonds.match.definition import Matcher
from fonds.normalize.definition import load_all, read_pack
from fonds.normalize.document import ACTIONS, action_pages, action_table, rule_table, with_table
from fonds.normalize.document import SCHEMAS as PACKS
from fonds.plan.definition import Waves
from fonds.project.settings import Settings, load
from fonds.report.definition import Report

ROOT = Path(__file__).resolve().parents[1]
MODELS: dict[str, type[BaseModel]] = {
    **CHECKS,
    **GATES,
    **PACKS,
    **PRECEDENCE,
    **THRESHOLDS,
    "duplicates": Policy,
    "context": Context,
    "export": Mapping,
    "feed": FeedMapping,
    "fonds": Settings,
    "matcher": Matcher,
    "report": Report,
    "study-matcher": StudyMatcher,
    "waves": Waves,
}


def generated() -> dict[Path, str]:
    """Every generated file with the content it should have."""
    project = load(ROOT)
    files = {ROOT / "docs" / "catalog.md": page(project)}
    for name, model in MODELS.items():
        schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **model.model_json_schema()}
        files[ROOT / "rules" / "schema" / f"{name}.schema.json"] = (
            json.dumps(schema, indent=1, ensure_ascii=False) + "\n"
        )
    checks = ROOT / "docs" / "checks.md"
    files[checks] = refresh(checks.read_text(encoding="utf-8"), [check for _, check in load_with_files(project)])
    rules = ROOT / "docs" / "rules.md"
    packs = load_all(project)
    text = with_table(rules.read_text(encoding="utf-8"), rule_table(packs))
    files[rules] = with_table(text, action_table(), begin=ACTIONS[0], end=ACTIONS[1])
    folder = ROOT / "docs" / "actions"
    for action, content in action_pages(packs, read_pack(project, folder)).items():
        files[folder / f"{action}.md"] = content
    return files


def main() -> int:
    """Write or compare."""
    stale = {
        path: text
        for path, text in generated().items()
        if not path.is_file() or path.read_text(encoding="utf-8") != text
    }
    for path, text in stale.items():
        if "--check" in sys.argv[1:]:
            sys.stderr.write(f"{path.relative_to(ROOT)} is stale: run make docs\n")
        else:
            path.write_text(text, encoding="utf-8")
    return 1 if stale and "--check" in sys.argv[1:] else 0


if __name__ == "__main__":
    sys.exit(main())

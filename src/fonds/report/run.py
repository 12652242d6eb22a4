"""The report stage: query the catalog, draw, and write out/report.html and out/certificate.json."""

from __future__ import annotations

import json
import os
from pathlib import Path

from fonds.catalog.schema import NAMES
from fonds.operations.runs import Progress, StageResult, stage_run
from fonds.project.settings import Project
from fonds.report import compile as queries
from fonds.report.certificate import certificate
from fonds.report.definition import files, load, load_remedies


def report(project: Project, *, progress: Progress | None = None, force: bool = False) -> StageResult:
    """Write the report named in fonds.yaml to out/report.html and the certificate beside it.

    The file is self-contained: pictures are inline SVG, no script, no request. For the same catalog it is the same
    file but for run numbers and times. Counts: sections, checks passed and failed; a failed check is told in `left`.
    Raises DefinitionInvalid when the definition or one of its queries has a mistake.
    """
    written = (project.reports_dir / "report.html", project.reports_dir / "certificate.json")
    definition = load(project)
    used = files(project, definition)
    force = force or not all(path.is_file() for path in written)
    with stage_run(
        project,
        "report",
        inputs=NAMES,
        outputs=(),
        definitions=used,
        heeds_decisions=True,
        progress=progress,
        force=force,
    ) as run:
        if not run.unchanged:
            from fonds.report.page import render  # the chart libraries take two seconds to import

            with queries.connect(project, load_remedies(project)) as connection:
                run.progress(0, len(definition.sections), "sections")
                found = queries.answers(project, definition, connection)
                proof = certificate(project, connection, used)
            docs = next(
                (f"{name}/index.html" for name in ("data_docs", "data-docs") if (project.reports_dir / name).is_dir()),
                None,
            )
            _write(written[0], render(project, definition, found, proof, docs))
            _write(written[1], json.dumps(proof, indent=2, ensure_ascii=False) + "\n")
            run.progress(len(definition.sections), len(definition.sections), "sections")
            checks = [
                block.query for section in definition.sections for block in section.blocks if block.kind == "check"
            ]
            passed = [row for name in dict.fromkeys(checks) for row in found[name]["passed"].to_list()]
            run.count("sections", len(definition.sections))
            run.count("checks passed", sum(value is True for value in passed))
            run.count("checks failed", sum(value is False for value in passed))
            if run.counts["checks failed"]:
                run.left.append(f"{run.counts['checks failed']} check(s) of the report failed; see {written[0]}")
    return run.result()


def _write(path: Path, text: str) -> None:
    """Aside and renamed: whoever has the report open never sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    aside.write_text(text, encoding="utf-8")
    os.replace(aside, path)

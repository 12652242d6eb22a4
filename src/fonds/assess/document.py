"""The parts of docs/checks.md that are generated from the checks: the table of all, the columns, the named tests."""

from __future__ import annotations

from collections.abc import Sequence

from fonds.assess.definition import Check
from fonds.assess.vocabulary import LEVELS, SETTINGS, templates
from fonds.project.expressions import AGGREGATES, TEXT_FUNCTIONS

BEGIN, END = "<!-- generated: {name} -->", "<!-- end: {name} -->"


def sections(checks: Sequence[Check]) -> dict[str, str]:
    """Markdown of each generated part by the name in its markers."""
    return {"checks": _checks(checks), "columns": _columns(), "tests": _tests()}


def refresh(text: str, checks: Sequence[Check]) -> str:
    """The page with every generated part brought up to date; raises ValueError when a marker is missing."""
    for name, section in sections(checks).items():
        begin, end = BEGIN.format(name=name), END.format(name=name)
        if begin not in text or end not in text:
            raise ValueError(f"docs/checks.md has no markers for '{name}'")
        head, _, rest = text.partition(begin)
        text = f"{head}{begin}\n{section}\n{end}{rest.partition(end)[2]}"
    return text


def _checks(checks: Sequence[Check]) -> str:
    lines = ["| level | entities | conformance | completeness | plausibility | together |", "|---|---|---|---|---|---|"]
    kinds = ("conformance", "completeness", "plausibility")
    for level in LEVELS.values():
        ours = [check for check in checks if check.level == level.name]
        counts = " | ".join(str(sum(check.kahn == kind for check in ours)) for kind in kinds)
        lines.append(f"| {level.name} | {level.subject} | {counts} | {len(ours)} |")
    counts = " | ".join(str(sum(check.kahn == kind for check in checks)) for kind in kinds)
    lines.append(f"| all |  | {counts} | {len(checks)} |")
    for level in LEVELS.values():
        ours = sorted((check for check in checks if check.level == level.name), key=lambda check: check.id)
        if ours:
            lines += ["", f"### {level.name.capitalize()}", "", *_table(ours)]
    return "\n".join(lines)


def _table(checks: Sequence[Check]) -> list[str]:
    lines = [
        "| id | name | Kahn | severity | may fail | about | what it tells a person | standard | mended by |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for check in checks:
        words = list(dict.fromkeys(word for test in check.tests for word in test.attributes))
        about = ", ".join(words[:3]) + (", …" if len(words) > 3 else "")
        standard = f"[{check.standard}]({check.link})" if check.standard else ""
        lines.append(
            f"| {check.id} | {check.name} | {check.kahn} | {check.severity} | {check.threshold:.4g} "
            f"| {about} | {check.message} | {standard} | {check.fix or ''} |"
        )
    return lines


def _columns() -> str:
    lines = ["| level | an entity | columns | stand alone |", "|---|---|---|---|"]
    for level in LEVELS.values():
        keys = ", ".join(f"`{key}`" for key in level.keys) or "all"
        lines.append(f"| {level.name} | {level.subject} | those of `{level.table}` | {keys} |")
    for level in LEVELS.values():
        if level.extra:
            lines += ["", f"Level {level.name} adds:", ""]
            lines += [f"- `{name}`: {meaning}" for name, meaning in level.extra.items()]
    lines += ["", "Every level also has what fonds.yaml says about the source:", ""]
    lines += [f"- `{name}`: {meaning}" for name, meaning in SETTINGS.items()]
    return "\n".join(lines)


def _tests() -> str:
    lines = ["| test | true or equal to |", "|---|---|"]
    lines += [f"| `{name}({', '.join(one.parameters)})` | {one.meaning} |" for name, one in templates().items()]
    plain = ", ".join(f"`{name}`" for name in sorted(TEXT_FUNCTIONS))
    grouped = ", ".join(f"`{name}`" for name in sorted(AGGREGATES))
    lines += ["", f"Plain functions: {plain}, `try_cast`.", "", f"Aggregates above the instance: {grouped}."]
    return "\n".join(lines)

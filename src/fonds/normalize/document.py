"""The table of the shipped rules in docs/rules.md, and the models whose JSON Schemas editors use."""

from __future__ import annotations

from pydantic import BaseModel

from fonds.normalize.definition import Pack
from fonds.normalize.examples import shown
from fonds.normalize.rules import PackFile, RuleFile, TableFile

SCHEMAS: dict[str, type[BaseModel]] = {"pack": PackFile, "rules": RuleFile, "table": TableFile}
BEGIN, END = "<!-- generated from rules/: begin -->", "<!-- generated from rules/: end -->"
SHOWN_ORDER = ("base", "radiology", "cardiology", "oncology", "pathology", "surgery", "sites")


def rule_table(packs: dict[str, Pack]) -> str:
    """The shipped rules as a Markdown table, in the order in which they act."""
    lines = ["| rule | attributes | what it does | before → after | reason | needs |", "|---|---|---|---|---|---|"]
    for name in SHOWN_ORDER:
        for placed in packs[name].rules:
            rule = placed.rule
            first = next((one for one in rule.examples if one.before != one.after), rule.examples[0])
            change = f"{_code(first.before)} → {_code(first.after)}"
            needs = "a steward" if rule.needs == "steward" else ""
            cells = (f"`{rule.id}`", ", ".join(rule.attributes), rule.title, change, rule.reason, needs)
            lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines)


def with_table(text: str, table: str) -> str:
    """The documentation with the table between its markers."""
    head, _, rest = text.partition(BEGIN)
    return f"{head}{BEGIN}\n{table}\n{END}{rest.partition(END)[2]}"


def _code(value: str | None) -> str:
    text = shown(value)
    return f"`{text[1:-1]}`" if text.startswith("'") else text

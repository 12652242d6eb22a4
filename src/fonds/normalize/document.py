"""What the docs say of rules and actions, and the models whose JSON Schemas editors use."""

from __future__ import annotations

import inspect
import json
from typing import get_args

from pydantic import BaseModel

from fonds.normalize.basis import BaseRule, StewardAction
from fonds.normalize.definition import Pack, Placed
from fonds.normalize.examples import shown
from fonds.normalize.lookup_model import DictionaryFile
from fonds.normalize.private import PrivateFile
from fonds.normalize.rules import PackFile, Rule, RuleFile, TableFile

SCHEMAS: dict[str, type[BaseModel]] = {
    "pack": PackFile,
    "rules": RuleFile,
    "table": TableFile,
    "private": PrivateFile,
    "dictionary": DictionaryFile,
}
BEGIN, END = "<!-- generated from rules/: begin -->", "<!-- generated from rules/: end -->"
ACTIONS = ("<!-- generated from the actions: begin -->", "<!-- generated from the actions: end -->")
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


def with_table(text: str, table: str, *, begin: str = BEGIN, end: str = END) -> str:
    """The documentation with the table between its markers."""
    head, _, rest = text.partition(begin)
    return f"{head}{begin}\n{table}\n{end}{rest.partition(end)[2]}"


def actions() -> dict[str, type[BaseRule]]:
    """The model of every action, by its name, in the order of the pages."""
    union = get_args(Rule)[0]
    return {get_args(model.model_fields["action"].annotation)[0]: model for model in get_args(union)}


def action_table() -> str:
    """All actions with what they do and a link to the page of each."""
    lines = ["| action | what it does | always needs a steward |", "|---|---|---|"]
    for name, model in actions().items():
        asks = "yes" if issubclass(model, StewardAction) else ""
        lines.append(f"| [`{name}`](actions/{name}.md) | {_cell(_paragraphs(model)[0])} | {asks} |")
    return "\n".join(lines)


def action_pages(packs: dict[str, Pack], documented: Pack) -> dict[str, str]:
    """The page of every action: what it does, its keys, a rule that has it, what this does, and the shipped ones."""
    own: dict[str, Placed] = {placed.rule.action: placed for placed in documented.rules}
    pages = {}
    for name, model in actions().items():
        shipped = [placed for pack in SHOWN_ORDER for placed in packs[pack].rules if placed.rule.action == name]
        shown = own.get(name) or shipped[0]
        parts = [f"# `{name}`", *_paragraphs(model), "## Keys", _keys(model), "## Example", _yaml(shown)]
        pages[name] = "\n\n".join([*parts, _answers(shown), *_uses(shipped), ""])[:-1]
    return pages


def _paragraphs(model: type[BaseRule]) -> list[str]:
    return (inspect.getdoc(model) or "").split("\n\n")


def _keys(model: type[BaseRule]) -> str:
    rows = []
    for name, field in model.model_fields.items():
        if name not in BaseRule.model_fields and name != "action":
            default = "must be given" if field.is_required() else f"`{_default(field.default)}`"
            rows.append(f"| `{name}` | {_cell(field.description or '')} | {default} |")
    table = "\n".join(["| key | meaning | when left out |", "|---|---|---|", *rows])
    common = "`id`, `title`, `attributes`, `scope` and the other keys that every rule has: [rules](../rules.md)."
    return f"{table}\n\nBesides, {common}" if rows else f"It has none of its own; {common}"


def _default(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) < 60 else f"{text[:50]} …"


def _yaml(placed: Placed) -> str:
    """The rule as it stands in its file."""
    lines = placed.path.read_text(encoding="utf-8").splitlines()
    start = next(number for number, line in enumerate(lines) if line == f"  - id: {placed.rule.id}")
    ends = (number for number, line in enumerate(lines) if number > start and line.startswith("  - "))
    return "\n".join(["```yaml", "rules:", *lines[start : next(ends, len(lines))], "```"])


def _answers(placed: Placed) -> str:
    lines = ["| example | before | after | given |", "|---|---|---|---|"]
    for one in placed.rule.examples:
        given = ", ".join(f"{name} {_code(value)}" for name, value in one.given.items())
        after = "left alone" if one.before == one.after else _code(one.after)
        lines.append("| " + " | ".join(_cell(text) for text in (one.name, _code(one.before), after, given)) + " |")
    return "\n".join(lines)


def _uses(shipped: list[Placed]) -> list[str]:
    if not shipped:
        return ["No shipped rule has this action: a site writes its own."]
    lines = [f"- `{placed.rule.id}` (pack {placed.pack}): {placed.rule.title}" for placed in shipped]
    return ["## Shipped rules", "\n".join(lines)]


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _code(value: str | None) -> str:
    text = shown(value)
    return f"`{text[1:-1]}`" if text.startswith("'") else text

"""Changes that wait for a steward, by rule."""

from __future__ import annotations

import json
from typing import Any

import duckdb

from fonds.desk.reading import rows
from fonds.normalize.lookup_model import Lookup
from fonds.normalize.order import pipelines
from fonds.project.settings import Project

INDEX_RULES = """
SELECT rule, list_sort(list(DISTINCT index_source)), list_sort(list(DISTINCT attribute))
FROM drift WHERE winner = 'index' AND needs = 'steward' GROUP BY rule
"""


def steward_rules(project: Project, cursor: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    """What needs a steward: rules of the packs in use, and an archive's index where it wins.

    Each with its title, how much waits, and the decision that stands; those that wait for someone come first.
    """
    titles = {
        placed.rule.id: placed.rule.title
        for order in pipelines(project).rules.values()
        for placed in order
        if placed.rule.needs == "steward" or isinstance(placed.rule, Lookup)
    }
    titles |= {
        rule: f"{', '.join(indexes)} says otherwise than the files: {', '.join(attributes)}"
        for rule, indexes, attributes in cursor.execute(INDEX_RULES).fetchall()
    }
    standing = {
        row["subject_a"]: row
        for row in cursor.execute("FROM standing WHERE kind = 'change'").pl().to_dicts()
        if row["subject_a"] in titles
    }
    found = []
    for rule, title in sorted(titles.items()):
        changes = changes_of(cursor, rule)
        asked = questions_of(cursor, rule=rule)
        waiting = [change for change in changes if change["state"] == "proposed" and change["verdict"] is None]
        waiting += [question for question in asked if not question["settled"] and question["verdict"] is None]
        found.append({"rule": rule, "title": title, "changes": changes, "questions": asked, "waiting": len(waiting)})
        found[-1]["decision"] = standing.get(rule)
    return sorted(found, key=lambda one: not one["waiting"])


def changes_of(cursor: duckdb.DuckDBPyConnection, rule: str) -> list[dict[str, Any]]:
    """Up to 200 values the rule would change; each is decided once, for all objects of the patient that have it."""
    return rows(cursor, "changes", {"rule": rule})


def questions_of(cursor: duckdb.DuckDBPyConnection, *, rule: str = "", change: str = "") -> list[dict[str, Any]]:
    """Up to 200 values with candidates, of a rule or of one change, those that touch most studies first."""
    found = rows(cursor, "choices", {"rule": rule, "change": change})
    for question in found:
        question["candidates"] = json.loads(question["candidates"])
        question["chosen"] = _chosen(question) if question["verdict"] else None
    return found


def _chosen(question: dict[str, Any]) -> Any:
    """The value that was chosen; None when none of the candidates was."""
    if question["kind"] == "change":
        return {"choose": question["answer"], "approve": question["candidates"][0]["value"]}.get(question["verdict"])
    code = json.loads(question["answer"])["value"]
    return next((one["value"] for one in question["candidates"] if one["code"] == code), code)

"""Columns of the instance level that tell what the comparison with an object's IOD found (see conform.py)."""

from __future__ import annotations

from fonds.catalog.store import literal

_KINDS = {
    "lacks_type_1": (
        "type 1 (or 1C that applies) missing or empty",
        "problem IN ('missing', 'empty') AND type[1] = '1'",
    ),
    "lacks_type_2": ("type 2 (or 2C that applies) missing", "problem = 'missing' AND type[1] = '2'"),
    "wrong_vr": ("not written in their value representation", "problem = 'vr'"),
    "wrong_multiplicity": ("with another number of values than allowed", "problem = 'multiplicity'"),
    "wrong_value": ("with a value outside the enumerated ones", "problem = 'value'"),
    "wrong_term": ("with a term that isn't a defined one", "problem = 'term'"),
}
IOD_EXTRA = {
    name: f"attributes {meaning}, joined by spaces, or ''; NULL for objects that weren't compared with their IOD"
    for name, (meaning, _) in _KINDS.items()
}


def _column(name: str, condition: str) -> str:
    word = "coalesce(keyword, path)"
    said = f"coalesce(string_agg(DISTINCT {word}, ' ' ORDER BY {word}) FILTER ({condition}), '')"
    if name.startswith("lacks"):
        # without an IOD nothing is known of required attributes
        said = f"CASE WHEN bool_or(problem = {literal('no-iod')}) THEN NULL ELSE {said} END"
    return f"{said} AS {name}"


IOD_COLUMNS = ", ".join(_column(name, condition) for name, (_, condition) in _KINDS.items())
"""What `instance.sql` selects of each object's rows of `conformance`."""

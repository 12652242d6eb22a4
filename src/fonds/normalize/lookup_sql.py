"""Gives DuckDB the lookup as a function over whole vectors of texts, and keeps what stewards decided on spellings."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

import duckdb
import pyarrow as pa
from duckdb.func import FunctionNullHandling, PythonUDFType

from fonds.normalize.lookup import Dictionary, Mapped, Matcher
from fonds.normalize.lookup_model import FUNCTION, Lookup
from fonds.operations import decisions
from fonds.project.settings import Project

ANSWER = pa.struct(
    [("value", pa.string()), ("score", pa.float64()), ("waits", pa.bool_()), ("candidates", pa.string())]
)
# which modalities a study has once the rules have corrected them: asked after the rules on Modality have acted
MODALITIES = """
CREATE OR REPLACE TEMP VIEW study_modalities AS
SELECT i.source AS of_source, i.StudyInstanceUID AS of_study,
    array_to_string(list_sort(list(DISTINCT coalesce(p.after, i.Modality))), '\\') AS modalities
FROM instances i LEFT JOIN proposals p ON p.attribute = 'Modality' AND p.source = i.source AND p.location = i.location
GROUP BY ALL
"""

Decided = Mapping[str, Mapping[str, list[Mapped]]]


def functions(
    connection: duckdb.DuckDBPyConnection,
    rules: Iterable[tuple[str, Lookup, Dictionary]],
    decided: Decided | None = None,
) -> dict[str, Matcher]:
    """Give the connection `procedure_of(key, texts, modalities)`; returns the matcher of each rule, by its key."""
    matchers = {key: Matcher(rule, of, (decided or {}).get(rule.id, {})) for key, rule, of in rules}

    def procedure_of(keys: pa.Array, texts: pa.Array, modalities: pa.Array) -> pa.Array:
        # a rule's key is a literal, so a vector is one rule's: its distinct texts are compared in one go
        questions = [(tuple(one or ()), of) for one, of in zip(texts.to_pylist(), modalities.to_pylist(), strict=True)]
        found = matchers[keys[0].as_py()].find(questions) if len(keys) else []
        columns = [[getattr(one, name, None) for one in found] for name in ("value", "score", "waits", "candidates")]
        return pa.StructArray.from_arrays(
            [pa.array(column, field.type) for column, field in zip(columns, ANSWER, strict=True)], fields=list(ANSWER)
        )

    if connection.sql(f"SELECT 1 FROM duckdb_functions() WHERE function_name = '{FUNCTION}'").fetchall():
        connection.remove_function(FUNCTION)
    if matchers:
        text = duckdb.sqltype("VARCHAR")
        answer = duckdb.struct_type({"value": text, "score": "DOUBLE", "waits": "BOOLEAN", "candidates": text})
        connection.create_function(
            FUNCTION,
            procedure_of,
            [text, duckdb.list_type(text), text],
            answer,
            type=PythonUDFType.ARROW,
            null_handling=FunctionNullHandling.SPECIAL,
        )
    return matchers


def decided(project: Project) -> dict[str, dict[str, list[Mapped]]]:
    """What stewards decided on spellings and stands: of each rule and folded spelling, the last decision last."""
    made: dict[str, dict[str, list[Mapped]]] = {}
    for row in decisions.standing(project, "mapping").iter_rows(named=True):
        said = json.loads(row["subject_b"])
        why = f"decision {row['decision_id']} by {row['who']}"
        code = said["value"] if row["verdict"] == "map" else None
        one = Mapped(said.get("modalities", ""), code, why)
        made.setdefault(row["subject_a"], {}).setdefault(said["spelling"], []).append(one)
    return made

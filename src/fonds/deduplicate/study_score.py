"""The SQL that scores pairs of studies: levels reached, their weights, constraints and the band."""

from __future__ import annotations

from collections.abc import Mapping

from fonds.catalog.store import literal, quote
from fonds.deduplicate.study_model import MISSING, NUMBERS, Comparison, Measure, StudyMatcher


def levels(model: StudyMatcher, measured: str) -> str:
    """SELECT that adds a column `level NAME` for each comparison to the relation `measured`."""
    picked = ", ".join(f"{_level(one)} AS {_column(one.name)}" for one in model.comparisons)
    return f"SELECT *, {picked} FROM {measured}"


def scored(model: StudyMatcher, levelled: str) -> str:
    """SELECT of study_a, study_b, whose, weight, score (0 to 1), band and evidence from what `levels` made.

    A pair whose persons are not known to be one (`whose` is NULL), or of which `doubtful` (part) names a study, is
    possible at best.
    """
    weight = " + ".join((repr(model.prior), *(_weight(one) for one in model.comparisons)))
    forced = " ".join(f"WHEN {_holds(one.when)} THEN {literal(one.outcome)}" for one in model.constraints)
    needed = " OR ".join(f"({_holds(one)})" for one in model.certain_needs) or "true"
    bands = model.bands
    said = ", ".join(
        f"{{'comparison': {literal(one.name)}, 'label': {_column(one.name)}, 'score': {_number(one)}, "
        f"'weight': {_weight(one)}}}"
        for one in model.comparisons
    )
    return f"""
        WITH weighed AS (SELECT *, {weight} AS weight FROM {levelled}),
        judged AS (
            SELECT *, 1 / (1 + pow(2, -weight)) AS score, CASE {forced}
                WHEN score >= {bands.certain!r} THEN CASE WHEN {needed} THEN 'certain' ELSE 'possible' END
                WHEN score >= {bands.possible!r} THEN 'possible' ELSE 'no' END AS told,
                whose IS NULL OR study_a IN (FROM doubtful) OR study_b IN (FROM doubtful) AS doubted
            FROM weighed
        )
        SELECT study_a, study_b, whose, objects_a, objects_b, same_pixels, round(score, 4) AS score,
            CASE WHEN told = 'certain' AND doubted THEN 'possible' ELSE told END AS band,
            list_filter([{said}], lambda x: x.label <> {literal(MISSING)}) AS evidence
        FROM judged WHERE told <> 'no' OR score >= {bands.keep!r}
    """


def _column(name: str) -> str:
    return quote(f"level {name}")


def _level(one: Comparison) -> str:
    measure = quote(one.name)
    cases = [f"WHEN {measure} IS NULL THEN {literal(MISSING)}"]
    for level in one.levels:
        if level.at_least is not None:
            test = f"{measure} >= {level.at_least!r}"
        elif level.at_most is not None:
            test = f"{measure} <= {level.at_most!r}"
        elif level.words:
            test = f"{measure} IN ({', '.join(map(literal, level.words))})"
        else:
            test = "true"
        cases.append(f"WHEN {test} THEN {literal(level.name)}")
    return f"CASE {' '.join(cases)} ELSE {literal(MISSING)} END"


def _weight(one: Comparison) -> str:
    cases = " ".join(f"WHEN {literal(level.name)} THEN {level.weight!r}" for level in one.levels)
    return f"CASE {_column(one.name)} {cases} ELSE 0 END"


def _number(one: Comparison) -> str:
    return f"round({quote(one.name)}, 2)" if one.name in NUMBERS else "NULL::DOUBLE"


def _holds(when: Mapping[Measure, tuple[str, ...]]) -> str:
    return " AND ".join(f"{_column(name)} IN ({', '.join(map(literal, wanted))})" for name, wanted in when.items())

"""What each blocking rule is worth: pairs it costs, true pairs it finds, and how many all rules together may miss."""

from __future__ import annotations

from itertools import combinations

import polars as pl

from fonds.match.definition import Block, Matcher

_ENOUGH = 10  # true pairs both of two rules must find before they tell anything of those neither finds
_COMMON = 0.3  # share of the true pairs a rule must find to stand for all
_EVIDENCE = {
    "native": ("family", "given"), "family_code": ("family",), "given_code": ("given",), "given_first": ("given",),
    "birth_date": ("year", "day"), "birth_year": ("year",), "birth_day": ("day",),
    "patient_id": ("identifier",), "issuer": ("identifier",),
}  # fmt: skip


def rules_report(matcher: Matcher, found_by: pl.DataFrame, true: pl.DataFrame, records: int) -> pl.DataFrame:
    """A line a blocking rule: how many pairs it finds, for what share of the true pairs.

    `found_by` (rules, pairs) is Compared.found_by; `true` (rules, one line a pair) are pairs that are linked, or known
    to be true and looked up with compare_pairs: then `rules` is 0 where no rule finds one. Columns: rule, pairs,
    per_record (pairs by record: what the rule costs), alone (pairs no other rule finds), true (of these pairs), recall
    (share of the true pairs), true_alone (true pairs no other rule finds: what is lost without the rule).
    """
    rows = []
    for number, rule in enumerate(matcher.blocking):
        bit = 1 << number
        has, only = (pl.col("rules") & bit) != 0, pl.col("rules") == bit
        pairs = int(found_by.filter(has)["pairs"].sum())
        hits = true.filter(has).height
        rows.append({
            "rule": rule.name, "pairs": pairs, "per_record": pairs / records if records else 0.0,
            "alone": int(found_by.filter(only)["pairs"].sum()), "true": hits,
            "recall": hits / true.height if true.height else None, "true_alone": true.filter(only).height,
        })  # fmt: skip
    return pl.DataFrame(rows, schema_overrides={"recall": pl.Float64})


def missed(matcher: Matcher, true: pl.DataFrame) -> tuple[int, str, str] | None:
    """How many true pairs no rule finds, at least, and the two rules that say so; None when no two can.

    Capture and recapture: two rules that rest on different evidence (family and given name; year and day of birth)
    find true pairs independently, so that the share of one's pairs which the other finds too is the other's recall of
    all (Lincoln and Petersen, in Chapman's form, which is not biased). Records that are clean throughout are found by
    both too often, which makes the figure a lower bound: of all such two rules the highest counts. Rules that few pairs
    can meet (one source's identifiers, one kind of mistake, a column that is mostly missing) say nothing of the others
    and are left out. `true` is as for rules_report; only pairs that some rule finds are used.
    """
    found = true.filter(pl.col("rules") != 0)
    best: tuple[int, str, str] | None = None
    hits = {rule.name: (found["rules"] & (1 << number)) != 0 for number, rule in enumerate(matcher.blocking)}
    usable = [r for r in matcher.blocking if not r.shared and hits[r.name].sum() >= _COMMON * found.height]
    for x, y in combinations(usable, 2):
        both = int((hits[x.name] & hits[y.name]).sum())
        if both >= _ENOUGH and not _evidence(x) & _evidence(y):
            total = (int(hits[x.name].sum()) + 1) * (int(hits[y.name].sum()) + 1) / (both + 1) - 1
            left = max(round(total) - found.height, 0)
            best = max(best or (left, x.name, y.name), (left, x.name, y.name))
    return best


def _evidence(rule: Block) -> set[str]:
    columns = (*rule.keys, *(("family", "given_first") if rule.crossed else ()))
    return {kind for column in columns for kind in _EVIDENCE.get(column, (column,))}

"""Weighs pairs: by pattern what the classes say, by pair how common the values are on which both records agree."""

from __future__ import annotations

import weakref
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from fonds.match.definition import Matcher
from fonds.match.fitted import Fitted, Flags, Floats, Levels, Whole
from fonds.match.frequencies import Frequencies

# What people are shown of a column, where it isn't the prepared value.
_SHOWN = {name: f"shown_{name}" for name in ("family", "given", "birth_date", "sex", "patient_id")}


@dataclass(frozen=True, slots=True)
class _Common:
    """How common agreeing values are: by comparison and record log2 against the average, and which classes agree on
    values as they come (rows one person, random, kinds): relatives inherit the family name, not the given one."""

    by_record: dict[int, Floats]
    at_random: dict[int, Flags]

    @classmethod
    def of(cls, prepared: pl.DataFrame, matcher: Matcher, fitted: Fitted, frequencies: Frequencies) -> _Common:
        relatives = matcher.relatives
        at_random = {
            n: np.array([False, True, *(not {c.name} & {*relatives.shared, *k.levels} for k in relatives.kinds)])
            for n, c in enumerate(matcher.comparisons)
            if c.frequency
        }
        return cls(frequencies.weights(prepared, matcher, fitted), at_random)

    @staticmethod
    def counted(number: int, levels: Levels) -> Flags:
        """Rows whose agreement is weighed by its value: at the first level, names in their places."""
        return np.asarray((levels.numbers[:, number] == 1) & ~levels.swapped)

    def add(self, number: int, classes: Floats, counted: Flags, values: Floats) -> None:
        """Add the values of a comparison to the classes that meet them at random."""
        values = np.where(counted, values, 0.0)
        for row in np.flatnonzero(self.at_random[number]):
            classes[row] += values

    def of_pairs(self, number: int, a: Whole, b: Whole) -> Floats:
        """By pair: of the commoner value, where one name is written in two ways."""
        values = self.by_record[number]
        return np.maximum(values[a], values[b])


def weigh(
    prepared: pl.DataFrame, matcher: Matcher, fitted: Fitted, frequencies: Frequencies, pairs: pl.DataFrame
) -> pl.DataFrame:
    """Every pair (a, b, rules, pattern) with its weight and the constraint that holds for it.

    Columns: na, nb, record_a, record_b, pattern, rules, blocked_by, weight (log2 odds, prior included), probability,
    rule and outcome (of the first constraint that holds), enough (one of the model's `link_needs` holds), same_issuer
    (two identifiers of one issuer). Pairs below `bands.keep` are left out unless a constraint speaks or no blocking
    rule finds them: those were asked for.
    """
    patterns = pairs["pattern"].unique().sort()
    levels = Levels.of(matcher, patterns)
    classes = fitted.classes(matcher, levels)
    common = _common(prepared, matcher, fitted, frequencies)
    known = _by_pattern(matcher, patterns, levels).with_columns(
        pl.Series("most", _most(classes, levels, common), dtype=pl.Float64)
    )
    told = known["rule"].is_not_null().to_numpy()
    place = pairs.join(known.select("pattern", "place"), on="pattern", how="left", maintain_order="left")["place"]
    hopeful = (known["most"].to_numpy() >= matcher.bands.keep) | told
    pairs = pairs.with_columns(place).filter(pl.Series(hopeful[place.to_numpy()]) | (pl.col("rules") == 0))
    at, a, b = (pairs[name].to_numpy() for name in ("place", "a", "b"))
    of_pairs = classes[:, at]
    for number in common.by_record:
        common.add(number, of_pairs, common.counted(number, levels)[at], common.of_pairs(number, a, b))
    weight = pl.Series("weight", _odds(of_pairs), dtype=pl.Float64)
    kept = (weight >= matcher.bands.keep) | pl.Series(told[at]) | (pairs["rules"] == 0)
    pairs = pairs.with_columns(weight).filter(kept).sort("a", "b")
    ids = prepared["record_id"]
    return pairs.select(
        pl.col("a").cast(pl.Int64).alias("na"),
        pl.col("b").cast(pl.Int64).alias("nb"),
        ids.gather(pairs["a"]).alias("record_a"),
        ids.gather(pairs["b"]).alias("record_b"),
        "pattern",
        "rules",
        _blocked_by(matcher, pairs["rules"]),
        "weight",
        (1 / (1 + (pl.col("weight").clip(-60, 60) * -np.log(2)).exp())).alias("probability"),
        *(known[name].gather(pairs["place"]) for name in ("rule", "outcome", "enough", "same_issuer")),
    )


def evidence(
    prepared: pl.DataFrame, matcher: Matcher, fitted: Fitted, frequencies: Frequencies, weighed: pl.DataFrame
) -> pl.DataFrame:
    """The pairs with `evidence`: a JSON list of comparison, label, a, b and weight, the prior last.

    A step's weight is what the comparison adds to what those before it said: where a household's address agrees, its
    telephone number says little more. So the steps add up to the pair's weight.
    """
    levels = Levels.of(matcher, weighed["pattern"])
    a, b = weighed["na"].to_numpy(), weighed["nb"].to_numpy()
    common = _common(prepared, matcher, fitted, frequencies)
    classes = fitted.base(np.zeros(weighed.height, dtype=bool))
    before = prior = _odds(classes)
    classes = fitted.base(levels.swapped)
    steps = []
    if levels.swapped.any():
        order = _odds(classes)
        weights = pl.Series(np.where(levels.swapped, order - before, np.nan)).fill_nan(None)
        nothing = pl.repeat(None, weighed.height, dtype=pl.String, eager=True)
        steps.append(_step("name order", pl.repeat("swapped", weighed.height, eager=True), (nothing, nothing), weights))
        before = order
    for number, comparison in enumerate(matcher.comparisons):
        classes += fitted.step(matcher, number, levels)
        if number in common.by_record:
            common.add(number, classes, common.counted(number, levels), common.of_pairs(number, a, b))
        after = _odds(classes)
        names = pl.Series(["missing", *(level.name for level in comparison.levels)])
        shown = prepared[_SHOWN.get(comparison.column, comparison.column)].cast(pl.String)
        sides = shown.gather(weighed["na"]), shown.gather(weighed["nb"])
        steps.append(_step(comparison.name, names.gather(levels.numbers[:, number]), sides, pl.Series(after - before)))
        before = after
    nothing = pl.repeat(None, weighed.height, dtype=pl.String, eager=True)
    label = pl.repeat("two records at random", weighed.height, eager=True)
    steps.append(_step("prior", label, (nothing, nothing), pl.Series(prior)))
    together = pl.DataFrame([step.alias(f"step_{n}") for n, step in enumerate(steps)])
    text = together.select(pl.concat_str(pl.all(), separator=", ", ignore_nulls=True).alias("text"))["text"]
    return weighed.with_columns(("[" + text + "]").alias("evidence"))


def _step(comparison: str, label: pl.Series, sides: tuple[pl.Series, pl.Series], weight: pl.Series) -> pl.Series:
    """JSON objects; NULL where there is no weight."""
    columns = {"label": label, "a": sides[0], "b": sides[1], "weight": weight}
    frame = pl.DataFrame([column.alias(name) for name, column in columns.items()])
    objects = frame.select(pl.struct(pl.lit(comparison).alias("comparison"), *columns).struct.json_encode().alias("x"))
    return objects["x"].set(weight.is_null(), None)


def holds(matcher: Matcher, levels: Levels, when: dict[str, tuple[str, ...]]) -> Flags:
    """Rows in which every comparison named is at one of its levels."""
    found = np.ones(len(levels.swapped), dtype=bool)
    for number, comparison in enumerate(matcher.comparisons):
        if comparison.name in when:
            names = ["missing", *(level.name for level in comparison.levels)]
            found &= np.isin(names, when[comparison.name])[levels.numbers[:, number]]
    return found


def speaking(matcher: Matcher, levels: Levels) -> Whole:
    """The number of the first constraint that holds in each row, -1 where none does."""
    found = np.full(len(levels.swapped), -1)
    for number, rule in reversed(list(enumerate(matcher.constraints))):
        found[holds(matcher, levels, rule.when)] = number
    return found


def _odds(classes: Floats) -> Floats:
    """log2 of the odds of the first class against all others."""
    others = classes[1:]
    largest = others.max(axis=0, initial=-1e300)
    return np.asarray(classes[0] - largest - np.log2(np.exp2(others - largest).sum(axis=0)))


_last: list[tuple[weakref.ref[pl.DataFrame], weakref.ref[pl.DataFrame], Matcher, Fitted, _Common]] = []


def _forget(_: object, last: list[Any] = _last) -> None:
    last.clear()  # an argument: when the interpreter ends, the module's own name may be gone before the records are


def _common(prepared: pl.DataFrame, matcher: Matcher, fitted: Fitted, frequencies: Frequencies) -> _Common:
    """Kept for the last records, as long as these are: a run weighs its pairs shard by shard."""
    if _last:
        records, table, model, fit, made = _last[0]
        if records() is prepared and table() is frequencies.table and model is matcher and fit is fitted:
            return made
    made = _Common.of(prepared, matcher, fitted, frequencies)
    _last[:] = [(weakref.ref(prepared, _forget), weakref.ref(frequencies.table), matcher, fitted, made)]
    return made


def _most(classes: Floats, levels: Levels, common: _Common) -> Floats:
    """The most that a pair of each pattern can weigh: when it agrees on the rarest of values."""
    rarest = classes.copy()
    for number, values in common.by_record.items():
        common.add(
            number, rarest, common.counted(number, levels), np.full(len(levels.swapped), values.min(initial=0.0))
        )
    return _odds(rarest)


def _by_pattern(matcher: Matcher, patterns: pl.Series, levels: Levels) -> pl.DataFrame:
    """What follows from a pattern alone: place, rule, outcome, enough, same_issuer."""
    which = speaking(matcher, levels)
    enough, two = np.zeros((2, len(patterns)), dtype=bool)
    for need in matcher.link_needs:
        enough |= holds(matcher, levels, need)
    for number, comparison in enumerate(matcher.comparisons):
        if comparison.column == "patient_id":
            two |= levels.numbers[:, number] == len(comparison.levels)
    constraint = pl.Series("constraint", which, dtype=pl.Int32)
    rules = pl.DataFrame(
        {
            "constraint": pl.int_range(len(matcher.constraints), dtype=pl.Int32, eager=True),
            "rule": pl.Series([constraint.name for constraint in matcher.constraints], dtype=pl.String),
            "outcome": pl.Series([constraint.outcome for constraint in matcher.constraints], dtype=pl.String),
        }
    )
    place = pl.int_range(len(patterns), dtype=pl.Int32, eager=True).alias("place")
    frame = pl.DataFrame([patterns.alias("pattern"), place, constraint])
    frame = frame.with_columns(pl.Series("enough", enough), pl.Series("same_issuer", two))
    return frame.join(rules, on="constraint", how="left", maintain_order="left").drop("constraint")


def _blocked_by(matcher: Matcher, rules: pl.Series) -> pl.Series:
    """Names of the blocking rules whose bits are set."""
    sets = rules.unique().sort()
    names = [[rule.name for n, rule in enumerate(matcher.blocking) if bits >> n & 1] for bits in sets.to_list()]
    table = pl.DataFrame({"rules": sets, "blocked_by": pl.Series(names, dtype=pl.List(pl.String))})
    return rules.to_frame("rules").join(table, on="rules", how="left", maintain_order="left")["blocked_by"]

"""Which thresholds cost least, given what a false merge, a missed merge and a minute of review cost."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.optimize import minimize

from fonds.catalog.store import Catalog
from fonds.errors import QueryRefused
from fonds.match.definition import load
from fonds.match.evaluate import CALIBRATED, labelled_sample
from fonds.match.sample import standing
from fonds.project.settings import Project

Floats = npt.NDArray[np.float64]
ENOUGH, EACH = 50, 5
"""Labels it takes to correct the model's probabilities, and how many of them must be true, and not true."""
_LEAST, _EQUAL = 1e-9, 1.001
_DOUBTS = sorted(digit * 10.0**-power for power in range(1, 9) for digit in (1, 2, 5))
GRID = np.array([*_DOUBTS, *sorted(1 - doubt for doubt in _DOUBTS if doubt < 0.5)])


@dataclass(frozen=True, slots=True)
class Costs:
    """What one false merge and one missed merge cost, and a minute of review, in one currency; minutes a pair takes."""

    false_merge: float
    missed_merge: float
    minute: float
    minutes_per_pair: float = 2.0

    @property
    def review(self) -> float:
        """Of one pair."""
        return self.minute * self.minutes_per_pair


@dataclass(frozen=True, slots=True)
class Choice:
    """Two thresholds and what is to be expected of them; merges are pairs of records."""

    name: str
    link: float
    review: float
    linked: int
    false_merges: float
    missed_merges: float
    reviews: int
    hours: float
    cost: float


@dataclass(frozen=True, slots=True)
class Advice:
    """`choices`: current, advised, stricter and looser. `calibrated`: by so many labels, or 0 for the model's own."""

    choices: tuple[Choice, ...]
    calibrated: int
    labelled: int
    always: int


@dataclass(frozen=True, slots=True)
class Calibration:
    """Stated to calibrated probability: log odds = a ln p - b ln(1 - p) + c (Kull, Silva Filho and Flach, 2017)."""

    a: float = 1.0
    b: float = 1.0
    c: float = 0.0

    def apply(self, stated: Floats) -> Floats:
        """Calibrated probabilities."""
        p = np.clip(stated, 1e-12, 1 - 1e-12)
        odds: Floats = self.a * np.log(p) - self.b * np.log1p(-p) + self.c
        return 1 / (1 + np.exp(-np.clip(odds, -40, 40)))


def calibrate(stated: Floats, same: npt.NDArray[np.bool_]) -> Calibration | None:
    """Beta calibration from labels, drawn towards what the model states as few labels can't say better; None with less
    than fifty labels, or hardly any on one side."""
    if len(same) < ENOUGH or min(int(same.sum()), int((~same).sum())) < EACH:
        return None
    p = np.clip(stated, 1e-12, 1 - 1e-12)
    x = np.column_stack([np.log(p), -np.log1p(-p), np.ones(len(p))])
    sign = np.where(same, 1.0, -1.0)
    start, scale = np.array([1.0, 1.0, 0.0]), np.array([0.5, 0.5, 2.0])

    def loss(parameters: Floats) -> float:
        held = (((parameters - start) / scale) ** 2).sum() / 2
        return float(np.logaddexp(0, -sign * (x @ parameters)).sum() + held)

    found = minimize(loss, start, method="L-BFGS-B", bounds=[(0, None), (0, None), (None, None)])
    return Calibration(*(float(value) for value in found.x))


def advise(project: Project, costs: Costs, *, labels: Path | None = None) -> Advice:
    """Weigh every pair of link and review thresholds by expected cost, over the pairs that thresholds move.

    Only pairs that could link by `link_needs` and that no constraint rules are linked by a threshold; of those whose
    evidence doesn't suffice a threshold decides whether a person is asked. Pairs that go to a person at any threshold
    are in the hours. A person is taken to answer rightly. Raises QueryRefused without pairs.
    """
    matcher, _, _ = load(project)
    known = labelled_sample(project, labels).filter(
        pl.col("same").is_not_null(), pl.col("probability").is_not_null(), pl.col("rests_on").is_in(CALIBRATED)
    )
    found = calibrate(known["probability"].to_numpy(), known["same"].to_numpy())
    with Catalog(project).connect() as connection:
        standing(connection, matcher)
        pairs = connection.sql(
            "SELECT rests_on = 'threshold' AS movable, probability FROM standing "
            f"WHERE NOT decided AND rests_on IN ('threshold', 'evidence') AND probability >= {_LEAST!r}"
        ).pl()
        always = connection.sql(
            "SELECT count(*) FROM standing WHERE NOT decided AND band = 'review' "
            "AND rests_on NOT IN ('threshold', 'evidence')"
        ).fetchall()[0][0]
    if not pairs.height:
        raise QueryRefused("there is no pair that a threshold could move; `fonds match` compares the records")
    weighed = _Weighed(pairs, found or Calibration(), int(always))
    now = (matcher.bands.link, matcher.bands.review)
    ten = (Costs(costs.false_merge * by, costs.missed_merge, costs.minute, costs.minutes_per_pair) for by in (10, 0.1))
    stricter, looser = (weighed.best(one, now) for one in ten)
    named = {"current": now, "advised": weighed.best(costs, now), "stricter": stricter, "looser": looser}
    choices = tuple(weighed.choice(name, *at, costs) for name, at in named.items())
    return Advice(choices, known.height if found else 0, known.height, int(always))


def _odds(probability: Floats | float) -> Floats:
    odds: Floats = np.log(probability) - np.log1p(-np.asarray(probability))
    return odds


class _Weighed:
    """Pairs in the order of their stated probability, with running sums: any threshold is one look-up."""

    def __init__(self, pairs: pl.DataFrame, calibration: Calibration, always: int) -> None:
        ordered = pairs.sort("probability")
        self.always = always
        self.stated = ordered["probability"].to_numpy()
        true, movable = calibration.apply(self.stated), ordered["movable"].to_numpy()
        self.true, self.movable, self.false_movable, self.true_movable = (
            np.concatenate([[0.0], np.cumsum(values)])
            for values in (true, movable, (1 - true) * movable, true * movable)
        )

    def sums(self, link: Floats, review: Floats) -> tuple[Floats, Floats, Floats, Floats]:
        """Pairs linked, false among them, true among the rejected, pairs reviewed; one of each for each threshold."""
        top, low = np.searchsorted(self.stated, link), np.searchsorted(self.stated, review)
        linked = self.movable[-1] - self.movable[top]
        return (
            linked,
            self.false_movable[-1] - self.false_movable[top],
            self.true[low],
            len(self.stated) - low - linked + self.always,
        )

    def best(self, costs: Costs, now: tuple[float, float]) -> tuple[float, float]:
        """Link and review thresholds of least cost; of those within a thousandth of it, the nearest to those in use."""
        link, review = (grid.ravel() for grid in np.meshgrid(np.sort([*GRID, now[0]]), np.sort([*GRID, now[1]])))
        ordered = review < link
        link, review = link[ordered], review[ordered]
        spent = self._spent(costs, link, review)
        far = np.abs(_odds(link) - _odds(now[0])) + np.abs(_odds(review) - _odds(now[1]))
        chosen = np.argmin(np.where(spent <= spent.min() * _EQUAL, far, np.inf))
        return float(link[chosen]), float(review[chosen])

    def choice(self, name: str, link: float, review: float, costs: Costs) -> Choice:
        """What is to be expected of two thresholds."""
        linked, false, missed, asked = (float(x[0]) for x in self.sums(np.array([link]), np.array([review])))
        spent = costs.false_merge * false + costs.missed_merge * missed + costs.review * asked
        hours = asked * costs.minutes_per_pair / 60
        return Choice(name, link, review, int(linked), false, missed, int(asked), hours, spent)

    def _spent(self, costs: Costs, link: Floats, review: Floats) -> Floats:
        _, false, missed, asked = self.sums(link, review)
        spent: Floats = costs.false_merge * false + costs.missed_merge * missed + costs.review * asked
        return spent

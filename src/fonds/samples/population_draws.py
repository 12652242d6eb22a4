"""Draws that depend on the seed, their purpose and their place alone: the same on every machine and in any order."""

from __future__ import annotations

import hashlib
from functools import lru_cache

import numpy as np
import numpy.typing as npt

Words = npt.NDArray[np.uint64]
Numbers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def hashed(seed: int, purpose: str, places: int | npt.NDArray[np.integer]) -> Words:
    """One 64-bit word a place (0…n-1, or the places given) by SplitMix64 (Steele, Lea, Flood 2014)."""
    key = int.from_bytes(hashlib.sha256(f"{seed}|{purpose}".encode()).digest()[:8], "little")
    at = np.arange(places, dtype=np.uint64) if isinstance(places, int) else places.astype(np.uint64)
    with np.errstate(over="ignore"):
        word = (at + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(key)
        word = (word ^ (word >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        word = (word ^ (word >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return word ^ (word >> np.uint64(31))


class Draws:
    """Draws for places 0…n-1, each for a purpose of its own: one more draw somewhere changes nothing elsewhere."""

    def __init__(self, seed: int, what: str, places: int | npt.NDArray[np.integer]) -> None:
        self.seed, self.what, self.places = seed, what, places

    def share(self, purpose: str) -> Floats:
        """Uniform in [0, 1)."""
        words = hashed(self.seed, f"{self.what} {purpose}", self.places) >> np.uint64(11)
        return words.astype(np.float64) * 2.0**-53

    def happens(self, purpose: str, chance: float | Floats) -> npt.NDArray[np.bool_]:
        """True with this chance."""
        return self.share(purpose) < chance

    def below(self, purpose: str, limit: int | Numbers) -> Numbers:
        """Whole numbers from 0 below the limit."""
        return (self.share(purpose) * limit).astype(np.int64)

    def kind(self, purpose: str, weights: tuple[float, ...]) -> Numbers:
        """Places in `weights`, each as often as its weight says."""
        cumulative = np.cumsum(weights)
        found = np.searchsorted(cumulative / cumulative[-1], self.share(purpose), side="right")
        return np.minimum(found, len(weights) - 1).astype(np.int64)

    def rank(self, purpose: str, size: int, exponent: float, offset: float = 2.0) -> Numbers:
        """Ranks 0…size-1 by Zipf and Mandelbrot's law: (rank + offset) to the power of -exponent."""
        return np.minimum(np.searchsorted(_zipf(size, exponent, offset), self.share(purpose), side="right"), size - 1)


@lru_cache(maxsize=64)
def _zipf(size: int, exponent: float, offset: float) -> Floats:
    cumulative = np.cumsum((np.arange(size) + offset) ** -exponent)
    # rounded, so that the last bit of a machine's power function decides nothing
    shares: Floats = np.round(cumulative / cumulative[-1], 12).astype(np.float64)
    return shares

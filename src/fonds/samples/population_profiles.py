"""How clean or how hard a generated population is: shares of households, habits and mistakes, by profile."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Profile:
    """Shares are of records unless said otherwise; `kinds`: of households (ordinary, with twins, father's namesake)."""

    kinds: tuple[float, float, float]
    sizes: tuple[float, ...] = (0.36, 0.3, 0.14, 0.13, 0.07)
    """Persons in a household: 1, 2, …"""
    sources: tuple[float, ...] = (0.62, 0.22, 0.1, 0.04, 0.02)
    """Sources that know a person: 1, 2, …, of persons."""
    again: float = 0.05
    """A second registration in a source under the same identifier, the demographics written anew."""
    second_id: float = 0.03
    """A second registration in a source under another identifier of the same issuer, never merged."""
    own_phone: float = 0.7
    """Of persons: has a number of its own; others share the household's."""
    moved: float = 0.25
    """Of persons: has an older address, which half of the records still hold."""
    sloppy: float = 0.15
    """Records taken down in haste: `haste` times as many mistakes as `mistakes` says."""
    haste: float = 4.0
    mistakes: float = 1.0
    overlay: float = 0.0005
    """Records under another person's identifier of the same issuer."""
    default_birth: float = 0.006
    placeholder: float = 0.002
    empty: float = 1.0
    """Times the usual share of missing values."""


PROFILES = {
    "clean": Profile((0.985, 0.012, 0.003), mistakes=0.3, overlay=0, placeholder=0, empty=0.3, own_phone=0.8),
    "mild": Profile((0.977, 0.010, 0.013), own_phone=0.8, mistakes=0.8, empty=0.8),
    "harsh": Profile(
        (0.93, 0.025, 0.045), own_phone=0.3, sloppy=0.22, overlay=0.002, default_birth=0.015, placeholder=0.004,
        mistakes=1.3, second_id=0.05, again=0.08, moved=0.35,
    ),
    "hard": Profile(
        (0.35, 0.4, 0.25), sizes=(0.05, 0.25, 0.25, 0.25, 0.2), sources=(0.4, 0.3, 0.2, 0.06, 0.04), own_phone=0.2,
        sloppy=0.25, overlay=0.03, default_birth=0.06, placeholder=0.01, mistakes=1.3, second_id=0.08, again=0.1,
        moved=0.3,
    ),
}  # fmt: skip

"""What may move, in which wave, and what is held and why: one row of `plan` for every catalogued file."""

from fonds.plan.run import plan

__all__ = ["plan"]

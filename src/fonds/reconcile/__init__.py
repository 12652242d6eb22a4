"""Prove that all of it arrived: one final state for every file of the inventory."""

from fonds.reconcile.run import reconcile

__all__ = ["reconcile"]

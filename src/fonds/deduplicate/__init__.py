"""What is there twice and what collides: `duplicates`, by the classes a to j."""

from fonds.deduplicate.run import deduplicate

__all__ = ["deduplicate"]

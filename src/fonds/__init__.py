"""Fonds: from legacy imaging archives to one proven enterprise archive."""

__version__ = "0.1.0"

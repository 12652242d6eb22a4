"""The sample hospitals: five departments' archives, the faults hidden in them, and the truth beside the files."""

from fonds.samples.generate import generate
from fonds.samples.sources import SOURCES

__all__ = ["SOURCES", "generate"]

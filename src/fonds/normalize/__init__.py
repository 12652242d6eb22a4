"""What it should say, and why: rule packs propose changes, stewards approve them, no file is touched."""

from fonds.normalize.run import normalize

__all__ = ["normalize"]

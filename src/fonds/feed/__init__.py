"""The verb `feed`: what other systems know of patients goes into the catalog."""

from fonds.feed.run import feed

__all__ = ["feed"]

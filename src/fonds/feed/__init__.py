"""The verb `feed`: what other systems know of patients, orders and reports goes into the catalog."""

from fonds.feed.run import feed

__all__ = ["feed"]

"""What is there: every file of a source becomes a row, read once and again only when it changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fonds.crawl.run import crawl

__all__ = ["crawl"]


def __getattr__(name: str) -> Any:
    # workers only read shards: the stage, with the operations store and all it takes, comes when it is asked for
    if name == "crawl":
        from fonds.crawl.run import crawl

        return crawl
    raise AttributeError(name)

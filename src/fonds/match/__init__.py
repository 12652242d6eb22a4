"""Who is who? Compares patient records, links the certain, queues the doubtful."""

from fonds.match.run import match

__all__ = ["match"]

"""How good is it? Findings and a scorecard by checks in rules/checks, gates by Great Expectations."""

from fonds.assess.run import assess

__all__ = ["assess"]

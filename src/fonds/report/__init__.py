"""The report stage: one self-contained HTML file and the certificate, from a typed definition."""

from fonds.report.run import report

__all__ = ["report"]

"""Send what is planned, once, with the approved changes and nothing else."""

from fonds.migrate.run import migrate

__all__ = ["migrate"]

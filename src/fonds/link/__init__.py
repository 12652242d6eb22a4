"""What belongs together and what is missing: `links` and `gaps`."""

from fonds.link.run import link

__all__ = ["link"]

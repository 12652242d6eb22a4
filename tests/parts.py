"""Real parts the tests talk to: a missing one skips here, and fails where CI=true."""

from __future__ import annotations

import os
import shutil

import pytest


def require(program: str, package: str) -> str:
    """Path of a program from a Debian package; skips (or, with CI=true, fails) with one line when it is missing."""
    found = shutil.which(program)
    if found:
        return found
    message = f"{program} is missing; install it with: apt install {package}"
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)

"""Compiles the kernels by numba and keeps the machine code on disk, where a folder for it can be written."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from numba import njit

F = TypeVar("F", bound=Callable[..., Any])

_SOURCES = sorted(Path(__file__).parent.glob("*.py"))
STAMP = hashlib.sha256(b"".join(path.read_bytes() for path in _SOURCES)).hexdigest()
"""Content of this package. A kernel kept on disk closes over it: numba looks only at the size and time of the file a
kernel stands in, and neither changes when a function it calls does, nor always when a wheel is installed anew."""


_JIT = njit(nogil=True, _nrt=False)
# Without numba's reference counts: the arrays belong to the caller, kernels make none, and counting each time one is
# passed on took five times as long as the work itself.


def inner(function: F) -> F:
    """A function of kernels: compiled with each of them."""
    compiled: F = _JIT(function)
    return compiled


def kept(function: F) -> F:
    """A kernel called from Python: compiled at its first call, which takes some seconds once for each installation."""
    try:
        kernel: F = njit(nogil=True, _nrt=False, cache=True)(function)
    except RuntimeError:  # neither __pycache__ nor the user's folder for caches can be written
        return inner(function)
    return kernel

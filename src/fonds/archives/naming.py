"""Names of files and members as text: reversible, and free of the mark between a container and its member."""

from __future__ import annotations

import re

MARK = "!"
"""stands between a container and a member of it: ``media/a.zip!dir/m.dcm``"""
_ESCAPED = re.compile(r"\\(\\|x[0-9a-f]{2})")


def escape(name: str) -> str:
    r"""A name as valid text: bytes that aren't UTF-8 and the mark become ``\xhh``, a backslash is doubled."""
    plain = name.replace("\\", "\\\\").replace(MARK, "\\x21")
    if plain.isascii():
        return plain
    return "".join(f"\\x{ord(c) - 0xDC00:02x}" if 0xDC80 <= ord(c) <= 0xDCFF else c for c in plain)


def unescape(location: str) -> str:
    """The name `escape` was given; what it didn't write stays as it is."""
    if "\\" not in location:
        return location
    return _ESCAPED.sub(lambda m: "\\" if m[1] == "\\" else _character(int(m[1][1:], 16)), location)


def split(location: str) -> tuple[str, list[str]]:
    """The object of a source that a location lies in, and the names of the members on the way to it."""
    outer, *inner = location.split(MARK)
    return outer, inner


def _character(code: int) -> str:
    return chr(code) if code < 0x80 else chr(0xDC00 + code)

"""A private attribute that is catalogued: the name of its column, and the creator that defines its element."""

from __future__ import annotations

import re
from typing import Any

_TAG = re.compile(r"^\(([0-9A-Fa-f]{4}),xx([0-9A-Fa-f]{2})\)$")


class PrivateAttribute(str):
    """The column's name, which is all that most readers of the catalog need to know, with what the crawl looks for.

    The element stands at (`group`,xx`number`), xx being the block that `creator` reserves in the object (PS3.5 7.8.1).
    `vr` is taken where the object doesn't state one.
    """

    __slots__ = ("creator", "group", "number", "vr")

    group: int
    number: int
    creator: str
    vr: str

    def __new__(cls, name: str, tag: str, creator: str, vr: str) -> PrivateAttribute:
        """`tag` as ``(0019,xx27)``; raises ValueError when it isn't a private tag written like that."""
        found = _TAG.match(tag)
        if found is None or not int(found[1], 16) % 2 or int(found[1], 16) < 9:
            raise ValueError(f"{tag} is no private tag such as (0019,xx27)")
        self = super().__new__(cls, name)
        self.group, self.number, self.creator, self.vr = int(found[1], 16), int(found[2], 16), creator, vr
        return self

    @property
    def tag(self) -> str:
        """``(0019,xx27)``."""
        return f"({self.group:04X},xx{self.number:02X})"

    def __eq__(self, other: object) -> bool:
        """Two of one name are equal only when they stand for the same element; otherwise the name counts."""
        if isinstance(other, PrivateAttribute):
            return self.definition == other.definition
        return str.__eq__(self, other)

    def __hash__(self) -> int:
        return str.__hash__(self)

    @property
    def definition(self) -> tuple[str, str, str, str]:
        """Name, tag, creator and VR."""
        return str(self), self.tag, self.creator, self.vr

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), self.definition

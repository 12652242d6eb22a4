"""The typed rules/duplicates.yaml: what becomes of each class of duplicates, and which copy is kept."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from fonds.catalog import schema
from fonds.errors import DefinitionInvalid
from fonds.project.definitions import Definition, load_yaml
from fonds.project.settings import Project

FILE = "rules/duplicates.yaml"
Class = Literal["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"]
Disposition = Literal["hold", "inform", "unite", "remap", "drop-copy"]
Preference = Literal[
    "complete", "lossless", "uncompressed", "newer", "older", "richer", "larger", "original", "source-order"
]  # fmt: skip
Keyword = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Za-z0-9]{1,63}$")]
CAREFUL: tuple[Disposition, ...] = ("hold", "inform", "unite", "remap", "drop-copy")
"""From the most careful on: of several that apply the first one holds."""
_FILES: frozenset[str] = frozenset(("complete", "lossless", "uncompressed", "newer", "older", "richer", "larger"))
_ALLOWED: dict[str, frozenset[str]] = {
    **dict.fromkeys("abc", frozenset(("hold", "drop-copy"))),
    "d": frozenset(("hold", "drop-copy", "remap")),
    "e": frozenset(("hold", "inform", "drop-copy")),
    "f": frozenset(("hold", "remap")),
    "g": frozenset(("hold", "inform", "remap")),
    "h": frozenset(("hold", "inform", "unite")),
    "i": frozenset(("hold", "inform", "unite")),
    "j": frozenset(("hold", "inform", "drop-copy")),
}
_KEEP: dict[str, frozenset[str]] = {
    **dict.fromkeys("abcdef", _FILES | {"source-order"}),
    "g": frozenset(),
    "h": frozenset(("larger", "newer", "older", "source-order")),
    "i": frozenset(),
    "j": _FILES | {"original", "source-order"},
}


class OfClass(Definition):
    """What becomes of one class."""

    disposition: Disposition | None = Field(None, description="hold, inform, unite, remap or drop-copy, by class")
    keep: tuple[Preference, ...] | None = Field(
        None,
        description="preferences that choose the kept one, the first that tells two apart: complete (all pixel data is "
        "there), lossless (never compressed with loss), uncompressed, newer and older (by Instance Coercion DateTime "
        "where catalogued, Original Attributes, content and acquisition time, the file's time; studies: their date), "
        "richer (more catalogued attributes with a value), larger (bytes; studies: objects), original (its UID is the "
        "one the copy names), source-order (place of the archive in fonds.yaml)",
    )
    possible: Disposition | None = Field(None, description="class h: of studies that are possibly one examination")
    other_persons: Disposition | None = Field(None, description="e and j: when they belong to different persons")


Classes = dict[Class, OfClass]


class Policy(Definition):
    """What becomes of duplicates: by class, and otherwise for copies in some archives."""

    version: str = Field(pattern=r"^[0-9]{1,4}\.[0-9]{1,4}\.[0-9]{1,4}$", description="major.minor.patch")
    classes: Classes
    ignored: tuple[Keyword, ...] = Field(default=(), description="attributes that don't make class c of class b")
    encoders: tuple[Keyword, ...] = Field(
        default=(), description="attributes that don't make class c either, of copies in different transfer syntaxes"
    )
    original_uids: tuple[str, ...] = Field(
        default=("references", "original-attributes"),
        description="where a copy may name the SOP Instance UID it had: references, original-attributes, and columns "
        "of `instances`",
    )
    smallest: int = Field(default=64, ge=1, description="bytes of pixel data that make e or j, at least")
    largest: int = Field(
        default=40, ge=2, le=1000, description="images alike by the catalog that are compared, at most"
    )
    sources: dict[str, Classes] = Field(default={}, description="archive of fonds.yaml: classes that differ there")

    @model_validator(mode="after")
    def _sensible(self) -> Policy:
        missing = [name for name in _ALLOWED if self.of(name).disposition is None]
        if missing:
            raise ValueError(f"classes without a disposition: {', '.join(missing)}")
        for where, classes in (("classes", self.classes), *self.sources.items()):
            for name, given in classes.items():
                for value in (given.disposition, given.possible, given.other_persons):
                    if value is not None and value not in _ALLOWED[name]:
                        known = ", ".join(one for one in CAREFUL if one in _ALLOWED[name])
                        raise ValueError(f"{where}: class {name} can't be {value}; it can be {known}")
                wrong = [one for one in given.keep or () if one not in _KEEP[name]]
                if wrong:
                    raise ValueError(f"{where}: class {name} keeps none by {', '.join(wrong)}")
                if given.possible is not None and name != "h":
                    raise ValueError(f"{where}: only class h has `possible`")
                if given.other_persons is not None and name not in ("e", "j"):
                    raise ValueError(f"{where}: only classes e and j have `other_persons`")
        return self

    def of(self, name: str, source: str | None = None) -> OfClass:
        """What holds for a class, in an archive."""
        common = self.classes.get(name, _NOTHING)  # type: ignore[call-overload]
        own = self.sources.get(source or "", {}).get(name, _NOTHING)  # type: ignore[call-overload]
        told = {**common.model_dump(exclude_none=True), **own.model_dump(exclude_none=True)}
        return OfClass.model_validate(told)


_NOTHING = OfClass.model_validate({})


def load(project: Project) -> Policy:
    """The project's policy; raises DefinitionInvalid with its mistakes, unknown archives and columns among them."""
    path = project.find(FILE)
    policy = load_yaml(path, Policy)
    mistakes: list[tuple[int | None, str]] = []
    for name in sorted(set(policy.sources) - set(project.sources)):
        mistakes.append((_line(path, name), f"sources.{name}: fonds.yaml has no archive of this name"))
    known = {"references", "original-attributes", *map(str, schema.attributes(project))}
    for name in sorted(set(policy.original_uids) - known):
        mistakes.append(
            (_line(path, name), f"original_uids: {name} isn't catalogued; add it to rules/base/attributes.yaml")
        )
    if mistakes:
        raise DefinitionInvalid(str(path), mistakes)
    return policy


def _line(path: Path, word: str) -> int | None:
    lines = path.read_text(encoding="utf-8").splitlines()
    return next((number for number, line in enumerate(lines, 1) if word in line.split("#")[0]), None)

"""The typed model of data_samples/recipe.yaml: which faults are injected where, and what each must raise."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from fonds.project.definitions import Definition, load_yaml
from fonds.project.folders import shipped
from fonds.samples.sources import SOURCES

Scope = Literal["object", "series", "study"]


class Where(Definition):
    """Which examinations a fault may be put into."""

    source: str | None = None
    sources: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    least: int = Field(default=1, ge=1, description="images the examination must have")
    ascii_name: bool = False
    plain_name: bool = Field(default=False, description="family and given name of one ASCII word each")
    also: str | None = Field(default=None, description="a department the person must be known in, too")
    sibling: bool = Field(default=False, description="the person must have another examination there")
    ordinary: bool = Field(default=False, description="no person of a hard case")

    @model_validator(mode="after")
    def _known(self) -> Self:
        named = {*self.sources, *filter(None, (self.source, self.also))}
        if unknown := named - set(SOURCES):
            raise ValueError(f"no such source: {', '.join(sorted(unknown))}")
        return self

    @property
    def archives(self) -> tuple[str, ...]:
        """The sources allowed; all when none is named."""
        return self.sources or ((self.source,) if self.source else tuple(SOURCES))


class Spelling(Definition):
    """A modality as a department writes it: in which kind of examination, in which of its series."""

    kinds: tuple[str, ...]
    to: str
    series: int = Field(default=1, ge=1)


class Fault(Definition):
    """One kind of fault."""

    id: str = Field(pattern=r"^[A-Z][A-Za-z0-9-]*$")
    title: str
    means: str
    where: Where = Where()
    beside: str | None = None
    case: str | None = Field(default=None, description="only labels what persons of this case are like anyway")
    scope: Scope = "study"
    set: dict[str, str] = Field(default={}, description="text by attribute")
    remove: tuple[str, ...] = ()
    modality: tuple[Spelling, ...] = ()
    make: str | None = None
    options: dict[str, str | bool] = Field(default={}, alias="with")
    per_block: int = Field(default=1, ge=1)
    checks: tuple[str, ...] = ()
    duplicates: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()
    band: Literal["certain", "possible", "no"] | None = Field(
        default=None, description="of two studies that look like one examination: how sure one may be that they are"
    )
    links: bool = Field(default=False, description="a reference of one of its files dangles")

    @model_validator(mode="after")
    def _does_something(self) -> Self:
        if not (self.case or self.set or self.remove or self.modality or self.make):
            raise ValueError("a fault needs one of: case, set, remove, modality, make")
        return self


class Recipe(Definition):
    """All of recipe.yaml."""

    faults: tuple[Fault, ...]
    not_shown: dict[str, str]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        seen: set[str] = set()
        for fault in self.faults:
            if fault.id in seen:
                raise ValueError(f"fault {fault.id} is there twice")
            if fault.beside is not None and fault.beside not in seen:
                raise ValueError(f"fault {fault.id}: beside {fault.beside}, which isn't above it")
            seen.add(fault.id)
        return self


@cache
def load_recipe(path: Path | None = None) -> Recipe:
    """The recipe, the shipped one by default; raises DefinitionInvalid."""
    return load_yaml(path or shipped() / "data_samples" / "recipe.yaml", Recipe)


def fault_table(recipe: Recipe) -> str:
    """The recipe's faults as a Markdown table, as docs/samples.md shows it."""
    lines = ["| fault | what is wrong | raises | changes | duplicates |", "|---|---|---|---|---|"]
    for fault in recipe.faults:
        cells = (fault.id, f"{fault.title}: {fault.means}", *map(", ".join, (fault.checks, fault.changes)))
        twice = ", ".join((*fault.duplicates, *(["dangling reference"] if fault.links else [])))
        lines.append("| " + " | ".join((*cells, twice)).replace("<", "&lt;") + " |")
    return "\n".join(lines) + "\n"

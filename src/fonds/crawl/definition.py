"""The typed rules/base/precedence.yaml: how index and files are compared, and whose word counts, by attribute."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from fonds.catalog import schema
from fonds.dicom.tags import tag_path
from fonds.errors import DefinitionInvalid
from fonds.project.definitions import Definition, content_hash, load_yaml
from fonds.project.settings import IndexSettings, Project

FILE = "rules/base/precedence.yaml"
PACK = "precedence"
Keyword = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Za-z0-9]{1,63}$")]
UIDS = {"STUDY": "StudyInstanceUID", "SERIES": "SeriesInstanceUID", "INSTANCE": "SOPInstanceUID"}


class Verdict(Definition):
    """How one attribute is compared, and who wins."""

    compare: Literal["text", "name", "family-given", "date", "time", "number", "uid", "set", "count"] = Field(
        "text", description="family-given: of a name only these two; the index doesn't keep its other components"
    )
    case: Literal["keep", "ignore", "plain"] = Field(
        "keep", description="keep: upper and lower case are two things; ignore: one; plain: accents don't count either"
    )
    winner: Literal["index", "files", "none"] = Field("none", description="none: shown, a person looks")
    reason: Literal["CORRECT", "COERCE"] = Field("CORRECT", description="PS3.3 C.12.1.1.9")
    needs: Literal["none", "steward"] = Field("steward", description="whether a person must approve the index's value")
    empty: Literal["ignore", "differs"] = Field(
        "ignore", description="differs: what is empty in the index and not in the files is a difference, too"
    )


class Precedence(Verdict):
    """The same for an attribute that is named."""

    level: Literal["study", "series", "instance"] = Field("study", description="level at which the index tells it")
    of: Keyword | None = Field(None, description="the files' attribute that is gathered or counted, else itself")
    follows: Keyword | None = Field(None, description="decided with this attribute: its rule has that one's name")

    @model_validator(mode="after")
    def _sensible(self) -> Precedence:
        if (self.of is not None) != (self.compare in ("set", "count")):
            raise ValueError("`of` belongs to compare: set and compare: count, and to these only")
        if self.of is not None and self.winner == "index":
            raise ValueError("what is gathered or counted stands in no file: its winner is files or none")
        return self


class PrecedenceFile(Definition):
    """All of precedence.yaml."""

    version: str = Field(pattern=r"^[0-9]{1,4}\.[0-9]{1,4}\.[0-9]{1,4}$", description="major.minor.patch")
    default: Verdict = Field(
        default_factory=lambda: Verdict.model_validate({}), description="for attributes that aren't named"
    )
    attributes: dict[Keyword, Precedence]
    sources: dict[str, dict[Keyword, Precedence]] = Field(
        default={}, description="index source of fonds.yaml: attributes that are judged otherwise there"
    )


@dataclass(frozen=True, slots=True)
class Loaded:
    """precedence.yaml with where it stands."""

    file: PrecedenceFile
    path: Path
    digest: str

    def of(self, index: str, level: str, attribute: str) -> Precedence | None:
        """What holds for an attribute this index tells at this level (STUDY …); None when it isn't compared there."""
        named = self.file.sources.get(index, {}).get(attribute) or self.file.attributes.get(attribute)
        if named is None:
            given = self.file.default.model_dump()
            return Precedence.model_validate({**given, "level": level.lower()})
        return named if named.level == level.lower() else None


def load_all(project: Project) -> Loaded:
    """The project's precedence; raises DefinitionInvalid with all mistakes, ContentNotFound when there is none."""
    path = project.find(FILE)
    file = load_yaml(path, PrecedenceFile)
    known = set(schema.attributes(project))
    indexes = {name for name, settings in project.sources.items() if isinstance(settings, IndexSettings)}
    lines = path.read_text(encoding="utf-8").splitlines()
    mistakes: list[tuple[int | None, str]] = []

    def wrong(text: str, place: str) -> None:
        mistakes.append((next((number for number, line in enumerate(lines, 1) if f"{place}:" in line), None), text))

    for source in sorted(set(file.sources) - indexes):
        wrong(f"sources.{source}: fonds.yaml has no index of this name", source)
    for block in (file.attributes, *file.sources.values()):
        for word, given in block.items():
            if (given.of or word) not in known:
                wrong(f"{given.of or word} isn't catalogued; add it to rules/base/attributes.yaml or correct it", word)
            if given.winner == "index" and not _standard(word):
                wrong(f"{word} is no attribute of PS3.6: its winner is files or none", word)
            if word in UIDS.values():
                wrong(f"{word} says which entity is meant, it can't be compared", word)
            if given.follows is not None and given.follows not in {*block, *file.attributes}:
                wrong(f"{word} follows {given.follows}, which isn't named", word)
    if mistakes:
        raise DefinitionInvalid(str(path), mistakes)
    return Loaded(file, path, content_hash(path))


def _standard(word: str) -> bool:
    try:
        tag_path(word)
    except KeyError:
        return False
    return True


SCHEMAS = {"precedence": PrecedenceFile}

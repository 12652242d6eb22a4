"""The typed mapping of a database export: which file is which level, which column is which attribute."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, field_validator, model_validator
from pydicom.datadict import dictionary_VR, tag_for_keyword

from fonds.project.definitions import Definition, load_yaml
from fonds.project.settings import Project
from fonds.tabular.columns import Column, Csv, Formats, Text, checked_formats

Keyword = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Za-z0-9]{1,63}$")]
FileName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
LevelName = Literal["study", "series", "instance"]
UIDS = {"study": "StudyInstanceUID", "series": "SeriesInstanceUID", "instance": "SOPInstanceUID"}
LEVELS: tuple[LevelName, ...] = ("study", "series", "instance")


class Join(Definition):
    """A further file whose columns belong to the row: `on` is {column of the row: its column}."""

    file: FileName
    on: dict[Text, Text] = Field(min_length=1)


class FilePath(Definition):
    """Where the archive keeps the object: its path, without what stands before the archive's root."""

    column: Text
    remove: Text = Field("", description="what every path begins with, such as D:\\IMAGES\\")


class LevelMapping(Definition):
    """One level: its file, the files joined to it, and where each attribute comes from."""

    file: FileName
    joins: tuple[Join, ...] = ()
    columns: dict[Keyword, Text | Column] = Field(min_length=1, description="DICOM keyword: column")
    path: FilePath | None = None

    @field_validator("columns")
    @classmethod
    def _keywords(cls, columns: dict[str, str | Column]) -> dict[str, str | Column]:
        if strange := [word for word in columns if tag_for_keyword(word) is None]:
            raise ValueError(f"no keyword of PS3.6: {', '.join(strange)}")
        return columns

    def taken(self) -> dict[str, Column]:
        """{keyword: where it comes from}, a plain column name written out."""
        return {
            word: Column(column=given, text=None, constant=None, formats=None) if isinstance(given, str) else given
            for word, given in self.columns.items()
        }


class Mapping(Definition):
    """A database export as tables; each level that is given becomes rows of `entries`."""

    title: str = ""
    csv: Csv = Csv(delimiter=",", quote='"', encoding="utf-8")
    nulls: tuple[Text, ...] = Field(default=(), description='texts that mean "no value", such as NULL')
    dates: Formats = Field(default=("%Y%m%d", "%Y-%m-%d", "%Y-%m-%d %H:%M:%S"), description="how dates are written")
    times: Formats = Field(
        default=("%H%M%S", "%H%M%S.%f", "%H:%M:%S", "%H:%M:%S.%f", "%H:%M", "%Y-%m-%d %H:%M:%S"),
        description="how times are written",
    )
    files: dict[FileName, Text] = Field(min_length=1, description="a name of yours: file or pattern below the path")
    study: LevelMapping
    series: LevelMapping | None = None
    instance: LevelMapping | None = None

    @field_validator("dates", "times")
    @classmethod
    def _formats(cls, formats: Formats) -> Formats:
        return checked_formats(formats)

    @field_validator("files")
    @classmethod
    def _inside(cls, files: dict[str, str]) -> dict[str, str]:
        for name, pattern in files.items():
            if not pattern or Path(pattern).is_absolute() or ".." in Path(pattern).parts:
                raise ValueError(f"{name}: write a file below the source's path")
        return files

    @model_validator(mode="after")
    def _whole(self) -> Mapping:
        wrong = []
        for level, mapped in self.levels.items():
            wanted = [UIDS[above] for above in LEVELS[: LEVELS.index(level) + 1]]
            wrong += [f"{level}.columns has no {word}" for word in wanted if word not in mapped.columns]
            named = [mapped.file, *(join.file for join in mapped.joins)]
            wrong += [
                f"{level} names the file '{name}', which `files` doesn't" for name in named if name not in self.files
            ]
            if len(set(named)) < len(named):
                wrong.append(f"{level} joins a file twice")
            if mapped.path is not None and level != "instance":
                wrong.append(f"{level}.path: only an instance has a path")
        if wrong:
            raise ValueError("; ".join(wrong))
        return self

    @property
    def levels(self) -> dict[LevelName, LevelMapping]:
        """The levels that are mapped, the study first."""
        given = (self.study, self.series, self.instance)
        return {name: mapped for name, mapped in zip(LEVELS, given, strict=True) if mapped is not None}


@dataclass(frozen=True, slots=True)
class Mapped:
    """A mapping and the file it stands in."""

    file: Path
    mapping: Mapping


def load_mapping(project: Project, name: str) -> Mapped:
    """The mapping of this content name; raises ContentNotFound, or DefinitionInvalid with all mistakes and lines."""
    path = project.find(name)
    return Mapped(path, load_yaml(path, Mapping))


def representation(keyword: str) -> str:
    """Value representation of a keyword that is known to be one (PS3.6)."""
    return str(dictionary_VR(keyword))

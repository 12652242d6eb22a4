"""The typed reports/NAME.yaml: sections of text, figures, charts, tables, checks and the certificate."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from fonds.errors import DefinitionInvalid
from fonds.project.definitions import Definition, load_yaml
from fonds.project.settings import Project

REMEDIES = "reports/remedies.yaml"
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,59}$")]
Identifier = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,39}$")]
Format = Literal["text", "code", "whole", "share", "precise", "points", "bytes", "decimal", "date", "list", "status"]


class Column(Definition):
    """One column of a table: the query's column, its heading and how its values are written."""

    name: str
    label: str
    format: Format = "text"


class Block(Definition):
    """What every block has: the query it shows, a caption, and what to say when there is nothing to show."""

    query: Name
    caption: str = ""
    empty: str = "Nothing to show: the stage that fills this has found nothing or has not run."


class Figures(Block):
    """Large single numbers; the query's columns are label, value, format, note."""

    kind: Literal["figures"]


class Check(Block):
    """Statements that must hold; the query's columns are statement, expected, found, passed."""

    kind: Literal["check"]


class Chart(Block):
    """A picture; `x`, `y` and `color` are columns of the query.

    `mark` is a column of a line chart: where it isn't 0, a dotted line stands with that number; of intervals: what the
    share should be. `span` names the columns of an interval's two ends, or of where a waterfall's bars begin and end;
    `group` is the column whose values make a waterfall, or a picture of lanes, each. Lanes have a mark for each row at
    the date `x` in lane `y`, of the kind `color`, with a ring where `mark` is true. `low` is the share at which a heat
    map's colour is deepest.
    """

    kind: Literal["chart"]
    chart: Literal["bars", "columns", "heatmap", "histogram", "lines", "progress", "intervals", "waterfall", "lanes"]
    x: str
    y: str
    color: str | None = None
    mark: str | None = None
    span: tuple[str, str] | None = None
    group: str | None = None
    low: float = Field(default=0.5, ge=0, lt=1)
    x_title: str = ""
    y_title: str = ""
    width: Literal["half", "full"] = "full"

    @model_validator(mode="after")
    def _complete(self) -> Chart:
        if self.chart in {"heatmap", "progress"} and self.color is None:
            raise ValueError(f"a {self.chart} needs `color`: the column that gives its cells their colour")
        if self.chart in {"intervals", "waterfall"} and self.span is None:
            raise ValueError(f"`chart: {self.chart}` needs `span`: the columns where a line or bar begins and ends")
        if self.chart == "lanes" and (self.group is None or self.color is None):
            raise ValueError("lanes need `group`, whose values make a picture each, and `color`: the kind of a mark")
        if self.chart == "waterfall" and (self.group is None or self.color is None):
            raise ValueError(
                "a waterfall needs `group`, whose values make a picture each, and `color` (for, against, sum)"
            )
        return self


class Table(Block):
    """Rows under headings; `group` is the column whose values become group headings."""

    kind: Literal["table"]
    columns: tuple[Column, ...] = Field(min_length=1)
    group: str | None = None
    limit: int = Field(default=50, ge=1, le=1000)


class Certificate(Definition):
    """The certificate table: counts, digests, versions, runs."""

    kind: Literal["certificate"]


AnyBlock = Annotated[Figures | Check | Chart | Table | Certificate, Field(discriminator="kind")]


class Section(Definition):
    """One chapter of the report."""

    id: Identifier
    title: str
    text: str = ""
    blocks: tuple[AnyBlock, ...] = ()


class Report(Definition):
    """All of reports/NAME.yaml."""

    version: Literal[1]
    title: str
    intro: str = ""
    sections: tuple[Section, ...] = Field(min_length=1)

    @field_validator("sections")
    @classmethod
    def _ids_differ(cls, sections: tuple[Section, ...]) -> tuple[Section, ...]:
        ids = [section.id for section in sections]
        if doubles := sorted({one for one in ids if ids.count(one) > 1}):
            raise ValueError(f"two sections have the id {', '.join(doubles)}")
        return sections

    def queries(self) -> list[str]:
        """Names of the queries the report shows, each once, in order."""
        named = [block.query for section in self.sections for block in section.blocks if isinstance(block, Block)]
        return list(dict.fromkeys(named))


class Remedy(Definition):
    """What a code means and what a person does about it, in plain words."""

    title: str
    text: str


class Remedies(Definition):
    """All of reports/remedies.yaml: by check, hold reason, duplicate class, refusal of new UIDs and kind of gap."""

    checks: dict[str, Remedy]
    holds: dict[str, Remedy]
    duplicates: dict[str, Remedy]
    remaps: dict[str, Remedy] = Field(default_factory=dict)
    gaps: dict[str, Remedy]


def load(project: Project) -> Report:
    """The report named in fonds.yaml."""
    return load_yaml(project.find(f"reports/{project.settings.report}.yaml"), Report)


def load_remedies(project: Project) -> Remedies:
    """What to do about findings, holds, duplicates and gaps."""
    return load_yaml(project.find(REMEDIES), Remedies)


def query_path(project: Project, name: str) -> Path:
    """The file of a query; the project's copy hides the shipped one."""
    return project.find(f"reports/sql/{name}.sql")


def files(project: Project, report: Report) -> list[Path]:
    """Every file the report's answer depends on."""
    named = project.find(f"reports/{project.settings.report}.yaml")
    return [named, project.find(REMEDIES), *(query_path(project, name) for name in report.queries())]


def load_all(project: Project) -> list[Report]:
    """Every report of the project; raises DefinitionInvalid for the first file with mistakes."""
    load_remedies(project)
    paths = [path for path in project.list_content("reports") if path.name != Path(REMEDIES).name]
    found = []
    for path in paths:
        report = load_yaml(path, Report)
        names = {query.stem for query in project.list_content("reports/sql", "*.sql")}
        if missing := [name for name in report.queries() if name not in names]:
            raise DefinitionInvalid(
                str(path), [(None, f"there is no reports/sql/{name}.sql") for name in sorted(missing)]
            )
        found.append(report)
    return found

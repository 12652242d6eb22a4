"""The typed fonds.yaml: which archives, which target, which rule packs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Discriminator, Field, JsonValue, Tag, field_validator, model_validator

from fonds.errors import ContentNotFound
from fonds.project.definitions import Definition, load_yaml
from fonds.project.folders import MARKER, find, list_content, project_root

Department = Literal["radiology", "cardiology", "oncology", "pathology", "surgery", "other"]


class SourceSettings(Definition):
    """What every legacy archive has, whatever its kind."""

    department: Department = "other"
    issuer: str | None = None
    accession_issuer: str | None = None
    institution: str | None = None
    charset: str | None = None
    date_order: Literal["iso", "us", "european"] = "iso"
    patient_id_pattern: str | None = Field(default=None, min_length=1, max_length=200)
    """what a patient ID of the issuer looks like as a whole, an RE2 pattern such as ``[0-9]{8}``"""
    packs: tuple[str, ...] = ("base@1",)

    @field_validator("patient_id_pattern")
    @classmethod
    def _is_re2(cls, pattern: str | None) -> str | None:
        if pattern is not None:
            import duckdb  # every command reads settings, few have a pattern

            try:
                with duckdb.connect(":memory:") as connection:
                    connection.execute("SELECT regexp_full_match('', ?)", [pattern])
            except duckdb.Error as error:
                raise ValueError(f"is no RE2 pattern: {str(error).splitlines()[0]}") from None
        return pattern


class FolderSourceSettings(SourceSettings):
    """Files below a folder, members of zip and tar files among them."""

    kind: Literal["folder"] = "folder"
    path: str
    digest: bool = True


class ObjectStoreSettings(SourceSettings):
    """Objects below an address that fsspec knows, such as ``s3://bucket/prefix``."""

    kind: Literal["objects"]
    url: str
    options: dict[str, JsonValue] = Field(default_factory=dict)
    """what fsspec's file system of that address takes; credentials belong into the environment"""
    digest: bool = False


class IndexSettings(SourceSettings):
    """An archive that tells what it holds instead of handing out files: its rows are `entries`."""

    of: str | None = None
    """the source whose files it is the database of: what differs between both is `drift`"""


class Pace(Definition):
    """How hard an archive in clinical use may be asked."""

    per_second: float | None = Field(default=None, gt=0)
    """most queries a second"""
    hours: str | None = Field(default=None, pattern=r"^([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d$")
    """when it may be asked, local time, such as ``19:00-06:00``"""


Depth = Literal["study", "series", "instance"]


class DimseNode(Definition):
    """Where a DICOM application entity is, and what both sides are called."""

    host: str
    port: int = Field(ge=1, le=65535)
    called_ae: str = Field(max_length=16)
    calling_ae: str = Field(default="FONDS", max_length=16)
    timeout: float = Field(default=30.0, gt=0)


class DimseSourceSettings(IndexSettings, DimseNode):
    """A PACS asked by C-FIND."""

    kind: Literal["dicom"]
    depth: Depth = "series"
    relational: bool = False
    """ask below a level without naming its parents (PS3.4 C.4.1.2.2.1), where both sides agree to it"""
    first_date: date = date(1980, 1, 1)
    """studies before it are found without slices"""
    pace: Pace = Pace()


class DicomwebSourceSettings(IndexSettings):
    """An archive asked by QIDO-RS."""

    kind: Literal["dicomweb"]
    url: str
    headers_from: dict[str, str] = Field(default_factory=dict)
    """HTTP headers and the environment variables that hold their values, such as ``Authorization: PACS_TOKEN``"""
    timeout: float = Field(default=30.0, gt=0)
    depth: Depth = "series"
    page: int = Field(default=500, ge=1)
    first_date: date = date(1980, 1, 1)
    pace: Pace = Pace()


class ExportSourceSettings(IndexSettings):
    """A table exported from an archive's database, CSV or Parquet."""

    kind: Literal["export"]
    path: str
    mapping: str
    """content file that says which column is which attribute, such as ``rules/sites/oldpacs-export.yaml``"""


class InventorySourceSettings(IndexSettings):
    """Inventory SOP Instances (PS3.3 C.38) in a file or below a folder."""

    kind: Literal["inventory"]
    path: str


ObjectsKind = FolderSourceSettings | ObjectStoreSettings
AnySource = Annotated[
    Annotated[FolderSourceSettings, Tag("folder")]
    | Annotated[ObjectStoreSettings, Tag("objects")]
    | Annotated[DimseSourceSettings, Tag("dicom")]
    | Annotated[DicomwebSourceSettings, Tag("dicomweb")]
    | Annotated[ExportSourceSettings, Tag("export")]
    | Annotated[InventorySourceSettings, Tag("inventory")],
    Discriminator(
        lambda given: given.get("kind", "folder") if isinstance(given, dict) else given.kind,
        custom_error_type="kind",
        custom_error_message="kind is folder, objects, dicom, dicomweb, export or inventory",
    ),
]


class FolderTarget(Definition):
    """A folder archive: STUDY/SERIES/SOP.dcm below `path`."""

    kind: Literal["folder"] = "folder"
    path: str = "target"


class DicomTarget(DimseNode):
    """An archive that takes C-STORE."""

    kind: Literal["dicom"]
    query: Literal["get", "find", "none"] = "get"
    """how reconcile proves arrival: retrieve and compare, C-FIND only, or not at all (the acknowledgement counts)"""


TargetSettings = Annotated[FolderTarget | DicomTarget, Field(discriminator="kind")]


class FeedSettings(Definition):
    """What another system tells of patients, orders and reports: a registration system, a patient index, a RIS."""

    format: Literal["csv", "parquet", "fhir"]
    """tables, or FHIR resources, one a line (NDJSON)"""
    path: str | None = None
    """patients or ADT events (FHIR Patient): file, folder or pattern, such as ``feeds/*.ndjson.gz``"""
    merges: str | None = None
    """the same for a table of merged identifiers, CSV or Parquet"""
    orders: str | None = None
    """the same for orders (HL7 ORM as a table, FHIR ServiceRequest)"""
    reports: str | None = None
    """the same for reports (HL7 ORU as a table, FHIR DiagnosticReport)"""
    issuer: str | None = None
    """assigning authority of patients' identifiers that name none"""
    accession_issuer: str | None = None
    """assigning authority of accession numbers that name none"""
    mapping: str | None = None
    """content file that says what the columns and codes are, such as ``rules/sites/mpi-feed.yaml``"""

    @model_validator(mode="after")
    def _tells_something(self) -> Self:
        if self.path is None and self.orders is None and self.reports is None:
            raise ValueError("a feed needs path (patients), orders or reports")
        if self.merges is not None and self.path is None:
            raise ValueError("merges are of patients: path is missing")
        return self


class AssessSettings(Definition):
    """How much assess opens."""

    conformance_sample: Annotated[int, Field(ge=0)] | Literal["all"] = 3
    """objects of each kind a device writes that are held against their IOD; 0: none"""


class Settings(Definition):
    """All of fonds.yaml."""

    name: str
    sources: dict[Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$")], AnySource]
    feeds: dict[Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$")], FeedSettings] = Field(
        default_factory=dict
    )
    target: TargetSettings = FolderTarget()
    assess: AssessSettings = AssessSettings()
    matcher: str = "patient"
    waves: str = "flows/waves.yaml"
    report: str = "evidence"
    catalog: str = "catalog"
    operations: str = "sqlite:///operations.db"
    system_name: str = Field(default="FONDS", max_length=16)
    runner: str = Field(default="processes", pattern=r"^(processes|dask://.+)$")
    """who reads shards: processes of this machine, or a Dask cluster, such as ``dask://scheduler:8786``"""

    @model_validator(mode="after")
    def _indexes_have_archives(self) -> Self:
        holding = [name for name, source in self.sources.items() if isinstance(source, ObjectsKind)]
        for name, source in self.sources.items():
            if isinstance(source, IndexSettings) and source.of is not None and source.of not in holding:
                raise ValueError(
                    f"sources.{name}.of: {source.of} is no source with files; there is: {', '.join(holding) or 'none'}"
                )
        return self

    @model_validator(mode="after")
    def _feeds_are_no_sources(self) -> Self:
        if twice := sorted(set(self.feeds) & set(self.sources)):
            raise ValueError(f"feeds.{twice[0]}: a source is called so; a feed needs a name of its own")
        return self


@dataclass(frozen=True, slots=True)
class Project:
    """A project folder with its settings; the first argument of every stage."""

    root: Path
    settings: Settings

    @property
    def catalog_dir(self) -> Path:
        """Where tables and the published DuckDB file lie."""
        return self.root / self.settings.catalog

    @property
    def reports_dir(self) -> Path:
        """Where reports, Data Docs and certificates are written."""
        return self.root / "out"

    @property
    def sources(self) -> dict[str, AnySource]:
        """The legacy archives by name."""
        return self.settings.sources

    @property
    def operations_url(self) -> str:
        """SQLAlchemy URL of the operations store; a relative SQLite path is taken from the project root."""
        prefix = "sqlite:///"
        url = self.settings.operations
        if url.startswith(prefix) and not url.startswith(prefix + "/"):
            return f"{prefix}{self.root / url.removeprefix(prefix)}"
        return url

    def source_root(self, name: str) -> Path:
        """Folder or file of a source; ``python:pydicom/data`` means files inside an installed package.

        Raises ContentNotFound for a source that isn't files of this machine.
        """
        settings = self.sources[name]
        if not isinstance(settings, FolderSourceSettings | ExportSourceSettings | InventorySourceSettings):
            raise ContentNotFound(f"source {name} has no files on this machine", name=name)
        path = settings.path
        if path.startswith("python:"):
            package, _, rest = path.removeprefix("python:").partition("/")
            spec = find_spec(package)
            if spec is None or not spec.submodule_search_locations:
                raise ContentNotFound(f"source {name}: the Python package {package} isn't installed", name=package)
            return Path(next(iter(spec.submodule_search_locations))) / rest
        return (self.root / path).resolve()

    def target_root(self) -> Path:
        """Folder of a folder target."""
        if not isinstance(self.settings.target, FolderTarget):
            raise TypeError("the target is not a folder archive")
        return (self.root / self.settings.target.path).resolve()

    def find(self, name: str) -> Path:
        """A content file or folder by its path below the project, shipped copy included."""
        return find(self.root, name)

    def list_content(self, folder: str, pattern: str = "*.yaml") -> list[Path]:
        """Definitions of a content folder, project files hiding shipped ones."""
        return list_content(self.root, folder, pattern)


def load(start: Path | str = ".") -> Project:
    """The project at or above `start`; raises ProjectNotFound or DefinitionInvalid."""
    root = project_root(Path(start))
    return Project(root, load_yaml(root / MARKER, Settings))

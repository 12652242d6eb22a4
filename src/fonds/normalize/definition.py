"""Loads a project's rule packs: which there are, what is in them, and every mistake with its file and line."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TypeVar, cast

from pydantic import BaseModel
from sqlglot import exp

from fonds.catalog import schema
from fonds.dicom.private import PrivateAttribute
from fonds.errors import ContentNotFound, DefinitionInvalid
from fonds.normalize.basis import spelled
from fonds.normalize.lookup import Dictionary
from fonds.normalize.lookup_model import STUDY_MODALITIES, DictionaryFile, Lookup
from fonds.normalize.names import NameSwap
from fonds.normalize.rules import Map, PackFile, Rule, RuleFile, TableFile
from fonds.project.definitions import content_hash, load_yaml
from fonds.project.expressions import Template, Vocabulary, parse
from fonds.project.folders import MARKER, shipped
from fonds.project.settings import Project

# What a rule may read of its source: columns of the view `sources`
SETTINGS = ("department", "issuer", "accession_issuer", "institution", "charset", "date_order")
# What it may read of an object besides the catalogued attributes
OBJECT_COLUMNS = ("charset_used", "transfer_syntax", "read_status")
TEMPLATES = {"empty": Template(("x",), "coalesce(trim(x), '') = ''", "absent, or nothing but spaces")}
# What the catalog holds of a sequence, as the text a change of it has. The issuer of an accession number is its entity
# (PS3.3 C.7.2.3), of the other two a change has the JSON list of their items.
NESTED = {
    "IssuerOfAccessionNumberSequence": "nullif(trim(IssuerOfAccessionNumberEntityID, ' '), '')",
    "IssuerOfPatientIDQualifiersSequence": "nullif('[{' || concat_ws(',', "
    "'\"UniversalEntityID\":' || to_json(nullif(IssuerQualifiersEntityID, '')), "
    "'\"UniversalEntityIDType\":' || to_json(nullif(IssuerQualifiersEntityType, ''))) || '}]', '[{}]')",
    "OtherPatientIDsSequence": "nullif('[' || array_to_string(list_transform(OtherPatientIDsItems, lambda one: '{' || "
    "concat_ws(',', '\"PatientID\":' || to_json(nullif(one.id, '')), "
    "'\"IssuerOfPatientID\":' || to_json(nullif(one.issuer, '')), "
    "'\"TypeOfPatientID\":' || to_json(nullif(one.type, ''))) || '}'), ',') || ']', '[]')",
}
# Columns a rule may read that are made from others: the bytes that don't decode, each with its attribute
MADE = {
    "doubtful_text": "array_to_string(list_transform(list_zip(doubtful, doubtful_bytes), "
    "lambda one: one[1] || '=' || one[2]), ' ')",
    "IssuerOfAccessionNumberEntityID": "IssuerOfAccessionNumberEntityID",
    "IssuerQualifiersEntityID": "IssuerQualifiersEntityID",
    "IssuerQualifiersEntityType": "IssuerQualifiersEntityType",
    STUDY_MODALITIES: "(SELECT modalities FROM study_modalities "
    "WHERE of_source = source AND of_study = StudyInstanceUID)",
}

M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True)
class Placed:
    """A rule where it stands: its pack, file and line, and its table of {folded spelling: term} when it maps."""

    rule: Rule
    pack: str
    pack_version: str
    pack_hash: str
    path: Path
    line: int | None
    table: dict[str, str] | None = None
    condition: exp.Expression | None = None
    dictionary: Dictionary | None = None

    @property
    def table_key(self) -> str:
        """Names the rule's table among those of all packs."""
        return f"{self.pack}:{self.rule.id}"

    @property
    def state(self) -> tuple[str, str]:
        """The rule as its pack has it now: what was tried once of this state needs no second trial."""
        return self.pack_hash, self.rule.id

    def reads(self) -> tuple[str, ...]:
        """Attributes and columns other than its own that the rule looks at."""
        named = [node.name for node in self.condition.find_all(exp.Column)] if self.condition is not None else []
        names = [*named, *(["Modality"] if self.rule.scope.modality else []), *self.rule.looks_at()]
        return tuple(dict.fromkeys(name for name in names if name not in (*SETTINGS, "source")))

    def reads_only_emptiness(self, word: str) -> bool:
        """Whether the rule looks at the attribute only through `empty(...)`."""
        named = self.condition.find_all(exp.Column) if self.condition is not None else ()
        plain = [node for node in named if node.name == word and not isinstance(node.parent, exp.Anonymous)]
        by_scope = word == "Modality" and bool(self.rule.scope.modality)
        return not plain and not by_scope and word not in self.rule.looks_at()


@dataclass(frozen=True)
class Pack:
    """One rule pack with its rules in order; `paths` are all files its content hash covers."""

    file: PackFile
    folder: Path
    rules: tuple[Placed, ...]
    paths: tuple[Path, ...]


def available(project: Project) -> dict[str, Path]:
    """Folders of the packs there are, by name; a pack of the project hides the shipped one of the same name."""
    found = {}
    for base in (shipped(), project.root):
        for path in sorted((base / "rules").glob("*/pack.yaml")):
            found[path.parent.name] = path.parent
    return dict(sorted(found.items()))


def load(
    project: Project, references: tuple[str, ...], named_in: Path, read: dict[str, Pack] | None = None
) -> dict[str, Pack]:
    """The packs named as `name@major`, with all they extend, added to those `read` before.

    Raises ContentNotFound for a pack that isn't there and DefinitionInvalid for mistakes inside one.
    """
    packs = dict(read or {})
    for reference in references:
        _load(project, reference, named_in, packs, ())
    return packs


def ordered(packs: dict[str, Pack], references: tuple[str, ...]) -> dict[str, Pack]:
    """Those of the loaded packs that the references need, in the order in which they act."""
    wanted: dict[str, Pack] = {}
    for reference in references:
        name = reference.partition("@")[0]
        wanted |= {
            above: pack for above, pack in ordered(packs, packs[name].file.extends).items() if above not in wanted
        }
        wanted.setdefault(name, packs[name])
    return wanted


def load_all(project: Project) -> dict[str, Pack]:
    """Every pack there is, its examples tried, and the list of packs of every source; raises like `load`."""
    from fonds.normalize import private, twice
    from fonds.normalize.examples import check
    from fonds.normalize.order import pipelines

    private.load(project)
    packs: dict[str, Pack] = {}
    for name, folder in available(project).items():
        if name not in packs:
            major = _loaded(folder / "pack.yaml", PackFile).major
            _load(project, f"{name}@{major}", folder / "pack.yaml", packs, ())
    for pack in packs.values():
        check(pack.rules)
    twice.check(pipelines(project, packs).rules)
    return packs


def read_pack(project: Project, folder: Path) -> Pack:
    """The pack in a folder, by itself; raises DefinitionInvalid for mistakes in it."""
    return _read(project, folder.name, folder)


def _load(project: Project, reference: str, named_in: Path, packs: dict[str, Pack], above: tuple[str, ...]) -> None:
    name, _, major = reference.partition("@")
    folders = available(project)
    if name not in folders or not major.isdecimal():
        there = ", ".join(folders) or "none"
        raise ContentNotFound(
            f"{named_in.name} names the rule pack '{reference}'; write name@major, of these packs: {there}",
            name=reference,
        )
    if name in above:
        chain = " > ".join([*above, name])
        raise DefinitionInvalid(str(named_in), [(None, f"packs extend each other in a circle: {chain}")])
    if name in packs:
        pack = packs[name]
    else:
        pack = _read(project, name, folders[name])
        for parent in pack.file.extends:
            _load(project, parent, folders[name] / "pack.yaml", packs, (*above, name))
        packs[name] = pack
    if pack.file.major != int(major):
        raise ContentNotFound(
            f"{named_in.name} names the rule pack '{reference}'; there is {name} {pack.file.version}: "
            f"write {name}@{pack.file.major} once you have read what changed",
            name=reference,
        )


def _read(project: Project, name: str, folder: Path) -> Pack:
    path = folder / "pack.yaml"
    file = _loaded(path, PackFile)
    if file.name != name:
        raise DefinitionInvalid(str(path), [(1, f"the pack's name is '{file.name}' but its folder is '{name}'")])
    themes = [_inside(folder, part, path) for part in file.files]
    read = [(theme, _loaded(theme, RuleFile)) for theme in themes]
    tables: dict[Path, dict[str, str]] = {}
    for theme, content in read:
        for rule in content.rules:
            if isinstance(rule, Map | NameSwap) and isinstance(rule.table, str):
                table = _inside(folder, rule.table, theme)
                tables.setdefault(table, spelled(_loaded(table, TableFile).terms))
    dictionaries = {
        found: Dictionary(_loaded(found, DictionaryFile), found)
        for theme, content in read
        for rule in content.rules
        if isinstance(rule, Lookup) and (found := _inside(folder, rule.dictionary, theme))
    }
    paths = (path, *themes, *tables, *dictionaries)
    digest = content_hash(*paths)
    placed = []
    for theme, content in read:
        for rule in content.rules:
            table_of = None
            if isinstance(rule, Map | NameSwap):
                table_of = tables[_inside(folder, rule.table, theme)] if isinstance(rule.table, str) else None
                table_of = table_of if table_of is not None else spelled(rule.table)  # type: ignore[arg-type]
            procedures = dictionaries[folder / rule.dictionary] if isinstance(rule, Lookup) else None
            table_of = procedures.meanings() if procedures is not None else table_of
            line = _line(theme, rule.id)
            placed.append(Placed(rule, name, file.version, digest, theme, line, table_of, dictionary=procedures))
    placed = _known(project, placed)
    return Pack(file, folder, tuple(placed), paths)


def _loaded(path: Path, model: type[M]) -> M:
    """The file's model; read once for each state of the file, since the tables of a pack take a second to parse."""
    state = path.stat() if path.is_file() else None
    return cast("M", _read_once(path, model, state.st_mtime_ns if state else 0, state.st_size if state else 0))


@lru_cache(maxsize=256)
def _read_once(path: Path, model: type[BaseModel], _mtime_ns: int, _size: int) -> BaseModel:
    return load_yaml(path, model)


def _inside(folder: Path, name: str, named_in: Path) -> Path:
    """A file of the pack; the name's pattern has no `..`, so only a link could lead outside."""
    path = folder / name
    if not path.is_file():
        raise DefinitionInvalid(str(named_in), [(_line(named_in, name), f"there is no file {name} in {folder}")])
    if not path.resolve().is_relative_to(folder.resolve()):
        raise DefinitionInvalid(str(named_in), [(_line(named_in, name), f"{name} leads outside the pack")])
    return path


def _line(path: Path, text: str) -> int | None:
    """The first line that holds `text`."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return next((number for number, line in enumerate(lines, start=1) if text in line), None)


def _known(project: Project, rules: list[Placed]) -> list[Placed]:
    """The rules with their conditions read; every attribute one names must be catalogued, every id be its own."""
    keywords = set(schema.attributes(project))
    changeable = keywords | set(NESTED)
    readable = frozenset({*changeable, *MADE, *OBJECT_COLUMNS, *SETTINGS, "source"})
    vocabulary = Vocabulary("an object and its source", readable, templates=TEMPLATES)
    mistakes: dict[Path, list[tuple[int | None, str]]] = {}
    ids: dict[str, Placed] = {}
    read = []
    for placed in rules:
        rule = placed.rule
        wrong = [
            f"{word} isn't catalogued; add it to rules/base/attributes.yaml or correct it"
            for word in rule.attributes
            if word not in changeable
        ]
        # what is written back is addressed by a tag of the standard; a private block lies elsewhere in each object
        private = {str(word) for word in keywords if isinstance(word, PrivateAttribute)}
        wrong += [
            f"{word} is a private attribute: rules may read it, not change it"
            for word in rule.attributes
            if word in private
        ]
        for example in rule.examples:
            wrong += [f"{word} can't be given in an example" for word in example.given if word not in readable]
        try:
            condition = parse(rule.scope.condition, vocabulary) if rule.scope.condition else None
        except ValueError as error:
            wrong.append(f"the condition: {error}")
            condition = None
        if rule.id in ids:
            first = ids[rule.id]
            wrong.append(f"this id is taken by {first.path.name} line {first.line}")
        ids.setdefault(rule.id, placed)
        if wrong:
            found = [(placed.line, f"rule {rule.id}: {text}") for text in wrong]
            mistakes.setdefault(placed.path, []).extend(found)
        read.append(replace(placed, condition=condition))
    for path, found_here in mistakes.items():
        raise DefinitionInvalid(str(path), found_here)
    return read


def settings_file(project: Project) -> Path:
    """Where sources name their packs."""
    return project.root / MARKER

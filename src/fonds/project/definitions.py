"""Reads a YAML definition into its typed model and reports every mistake at once, with line and nearest key."""

from __future__ import annotations

import difflib
import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode, Node, SequenceNode

from fonds.errors import DefinitionInvalid

MAX_BYTES = 2_000_000
MAX_DEPTH = 20
MAX_NODES = 200_000


class Definition(BaseModel):
    """Base of all models of YAML files: unknown keys are mistakes, values can't change after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


M = TypeVar("M", bound=BaseModel)


def load_yaml(path: Path, model: type[M], context: Any = None) -> M:
    """Load one YAML file into `model`; raises DefinitionInvalid with all mistakes found.

    `context` is handed to the model's validators: what they compare the file with, such as the columns there are.
    """
    data = read_yaml(path)
    try:
        return model.model_validate(_plain(data), context=context)
    except ValidationError as error:
        mistakes = [_mistake(item, data, model) for item in error.errors()]
        raise DefinitionInvalid(str(path), mistakes) from None


def read_yaml(path: Path) -> Any:
    """Parse safely: bounded size, depth and node count (aliases counted expanded), plain types only.

    The answer is shared by all who read the same content: it is not to be changed.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise DefinitionInvalid(str(path), [(None, f"can't be read: {error.strerror}")]) from error
    if len(raw) > MAX_BYTES:
        raise DefinitionInvalid(str(path), [(None, f"is larger than {MAX_BYTES} bytes")])
    return _parsed(path, raw)


@lru_cache(maxsize=256)
def _parsed(path: Path, raw: bytes) -> Any:
    # kept by content: one command reads the same checks and packs several times, and 160 checks take seconds
    try:
        # composed once: the bound is checked on the nodes before anything is built from them
        constructor, _ = YAML(typ="rt").get_constructor_parser(raw.decode("utf-8"))
        node = constructor.composer.get_single_node()
        if node is None:
            return None
        _bound(path, node)
        return constructor.construct_document(node)
    except UnicodeDecodeError as error:
        raise DefinitionInvalid(str(path), [(None, f"isn't UTF-8 at byte {error.start}")]) from error
    except RecursionError:
        raise DefinitionInvalid(str(path), [(None, f"nests past {MAX_DEPTH} levels")]) from None
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = str(getattr(error, "problem", None) or type(error).__name__)
        raise DefinitionInvalid(str(path), [(mark.line + 1 if mark else None, problem)]) from error


def content_hash(*paths: Path) -> str:
    """SHA-256 over the files' bytes, in the order of their names: the version a run records."""
    digest = hashlib.sha256()
    for path in sorted(paths, key=lambda p: (p.name, str(p))):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def _bound(path: Path, root: Node) -> None:
    # An alias is the same node object met again, so walking counts its content each time: a "billion laughs" ends here.
    count = 0
    stack: list[tuple[Node, int]] = [(root, 1)]
    while stack:
        node, depth = stack.pop()
        count += 1
        if depth > MAX_DEPTH or count > MAX_NODES:
            limit = f"{MAX_DEPTH} levels" if depth > MAX_DEPTH else f"{MAX_NODES} values"
            raise DefinitionInvalid(str(path), [(node.start_mark.line + 1, f"nests or repeats past {limit}")])
        if isinstance(node, MappingNode):
            stack += [(part, depth + 1) for pair in node.value for part in pair]
        elif isinstance(node, SequenceNode):
            stack += [(part, depth + 1) for part in node.value]


def _plain(data: Any) -> Any:
    if isinstance(data, CommentedMap):
        return {str(key): _plain(value) for key, value in data.items()}
    if isinstance(data, CommentedSeq):
        return [_plain(value) for value in data]
    return data


def _mistake(item: Any, data: Any, model: type[BaseModel]) -> tuple[int | None, str]:
    place = tuple(item["loc"])
    where = ".".join(str(part) for part in place)
    if item["type"] == "extra_forbidden":
        allowed = _keys_at(model, place[:-1])
        near = difflib.get_close_matches(str(place[-1]), allowed, n=1)
        hint = f"; did you mean '{near[0]}'?" if near else (f"; allowed: {', '.join(allowed)}" if allowed else "")
        return _line(data, place), f"'{where}' is not a key here{hint}"
    return _line(data, place), f"'{where}': {item['msg']}"


def _keys_at(model: type[BaseModel], place: tuple[Any, ...]) -> list[str]:
    current = [model]
    for part in place:
        if isinstance(part, int):  # an item of a list: its models are known already
            continue
        fields = [one.model_fields[part] for one in current if part in one.model_fields]
        if fields:
            current = [inner for field in fields for inner in _models(field.annotation)]
        else:  # the tag of a union, such as the `kind` of a target, or a key of a mapping, such as a source's name
            current = [one for one in current if _tagged(one, part)] or current
    return sorted({name for one in current for name in one.model_fields})


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [found for part in getattr(annotation, "__args__", ()) for found in _models(part)]


def _tagged(model: type[BaseModel], tag: str) -> bool:
    return any(tag in getattr(field.annotation, "__args__", ()) for field in model.model_fields.values())


def _line(data: Any, place: tuple[Any, ...]) -> int | None:
    line: int | None = None
    for depth, part in enumerate(place, start=1):
        try:
            if isinstance(data, CommentedMap):
                if part not in data and depth < len(place):
                    continue  # the tag of a union isn't a key of the file
                line = int(data.lc.key(part)[0]) + 1
                data = data[part]
            elif isinstance(data, CommentedSeq):
                line = int(data.lc.item(part)[0]) + 1
                data = data[part]
            else:
                return line
        except (KeyError, IndexError, TypeError):
            return line
    return line

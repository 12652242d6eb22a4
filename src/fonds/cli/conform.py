"""`fonds conform`: what isn't as the standard wants it in files, before or beside any project."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from fonds.cli.exits import Exit
from fonds.cli.stages import JsonOption


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("conform")(conform)


def conform(
    paths: Annotated[
        list[Path], typer.Argument(exists=True, metavar="PATH...", help="DICOM files, or folders of them.")
    ],
    json: JsonOption = False,
) -> None:
    """Are objects as the IOD of their SOP class wants them? Exits 1 when one isn't. Shows no patient data.

    Example: fonds conform image.dcm; fonds conform export/ --json
    """
    import polars as pl

    from fonds.cli import show

    files = list(_files(paths))
    rows = [row for path in files for row in _rows(path, named=len(paths) == 1 and paths[0].is_file())]
    errors = sum(row["level"] == "error" for row in rows)
    if json:
        show.as_json({"files": len(files), "errors": errors, "problems": rows})
    else:
        if rows:
            frame = pl.DataFrame(rows, schema=dict.fromkeys(_COLUMNS, pl.String()))
            show.frame(frame.select(name for name in _COLUMNS if frame[name].null_count() < frame.height))
        show.data.print(f"Files: {len(files)}, errors: {errors}, notes: {len(rows) - errors}", highlight=False)
    raise typer.Exit(Exit.GATE if errors else Exit.DONE)


_COLUMNS = ("file", "level", "attribute", "path", "problem", "type", "module", "value", "expected")


def _files(paths: list[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            yield from (one for one in sorted(path.rglob("*")) if one.is_file())
        else:
            yield path


def _rows(path: Path, *, named: bool) -> Iterator[dict[str, Any]]:
    """One row a problem; files of a folder that are no DICOM at all are passed over."""
    from fonds.dicom.iod import judge
    from fonds.errors import UnreadableHeader

    row: dict[str, Any] = {**dict.fromkeys(_COLUMNS), "file": str(path)}
    try:
        judged = judge(path)
    except UnreadableHeader as error:
        if named or error.reason not in ("not_dicom", "empty"):
            where = f" at byte {error.byte_offset}" if error.byte_offset is not None else ""
            yield {**row, "level": "error", "problem": "unreadable", "expected": f"{error.message}{where}"}
        return
    except OSError as error:
        yield {**row, "level": "error", "problem": "unreadable", "expected": error.strerror or type(error).__name__}
        return
    if judged.iod is None:
        yield {**row, "level": "note", "problem": "no-iod", "expected": "a SOP class whose IOD is known"}
    for one in judged.problems:
        told = one._asdict()
        attribute = told.pop("keyword")
        yield {**row, **told, "level": "error" if one.error else "note", "attribute": attribute}

"""The verb export: what the catalog knows, in a form other systems read."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from fonds.cli.stages import JsonOption, ProjectOption

group = typer.Typer(no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(
        group,
        name="export",
        help="Write what the catalog knows for other systems.\n\nExample: fonds export inventory --out inventory.dcm",
    )


@group.command("inventory")
def inventory(
    out: Annotated[Path, typer.Option("--out", help="File (.dcm), or a folder that gets inventory.dcm.")],
    source: Annotated[str | None, typer.Option("--source", help="One source instead of all.")] = None,
    level: Annotated[
        Literal["study", "series", "instance"], typer.Option("--level", help="How deep the records go.")
    ] = "instance",
    project: ProjectOption = Path(),
    json: JsonOption = False,
) -> None:
    """Write the catalog as DICOM Inventory SOP Instances (PS3.3 C.38).

    Example: fonds export inventory --out inventory.dcm --source radiology
    """
    from fonds.cli import show
    from fonds.project.settings import load
    from fonds.report.inventory import export_inventory

    done = export_inventory(load(project), out, source=source, level=level)
    if json:
        figures = {"file": str(done.root), "files": len(done.files), "studies": done.studies}
        show.as_json({**figures, "left_out": done.left_out})
        return
    more = f" and {len(done.files) - 1} beside it" if len(done.files) > 1 else ""
    show.data.print(f"{done.studies:,} studies in {done.root}{more}", highlight=False, soft_wrap=True)
    if done.left_out:
        show.data.print(f"{done.left_out:,} objects without the UIDs an Inventory needs are left out", highlight=False)

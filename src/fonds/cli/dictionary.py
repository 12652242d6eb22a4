"""The verb dictionary: the procedures of the house, the codes they stand for, and what decisions add to them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from fonds.cli.stages import JsonOption, ProjectOption

group = typer.Typer(no_args_is_help=True)
RuleOption = Annotated[str | None, typer.Option("--rule", help="The rule that looks up, where there are several.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(
        group,
        name="dictionary",
        help="Procedures of the house: what they are called, and their codes.\n\nExample: fonds dictionary list",
    )


@group.command("load")
def load_codes(
    file: Annotated[Path, typer.Argument(help="Loinc.csv, or the LOINC/RSNA Radiology Playbook file.")],
    system: Annotated[Literal["loinc", "rsna"], typer.Option("--as", help="Whose codes the file has.")],
    project: ProjectOption = Path(),
    json: JsonOption = False,
) -> None:
    """Take the codes of radiology out of a file you have a licence for; Fonds ships none.

    Example: fonds dictionary load Loinc.csv --as loinc
    """
    from fonds.cli import show
    from fonds.normalize import dictionary
    from fonds.project.settings import load

    opened = load(project)
    counts = dictionary.load_codes(opened, file, system)
    if json:
        show.as_json(counts)
    else:
        target = dictionary.table_of(opened, system).relative_to(opened.root)
        show.data.print(f"{show.figures(counts)}; kept in {target}", soft_wrap=True)


@group.command("list")
def entries(rule: RuleOption = None, project: ProjectOption = Path(), json: JsonOption = False) -> None:
    """The procedures with their codes, who mapped them, and how many studies have each.

    Example: fonds dictionary list --json
    """
    from fonds.cli import show
    from fonds.normalize.dictionary import listing
    from fonds.project.settings import load

    found = listing(load(project), rule)
    if json:
        show.as_json(found.to_dicts())
    else:
        show.frame(found.select("code", "meaning", "system", "standard_code", "known", "studies"))


@group.command("unmapped")
def unmapped_texts(rule: RuleOption = None, project: ProjectOption = Path(), json: JsonOption = False) -> None:
    """Descriptions that lead to no procedure, those of most studies first: what the dictionary lacks.

    Example: fonds dictionary unmapped
    """
    from fonds.cli import show
    from fonds.normalize.dictionary import unmapped
    from fonds.project.settings import load

    found = unmapped(load(project), rule)
    if json:
        show.as_json(found.to_dicts())
    else:
        show.frame(found)


@group.command("export")
def export_grown(
    out: Annotated[Path | None, typer.Option("--out", help="File to write; else it is printed.")] = None,
    rule: RuleOption = None,
    project: ProjectOption = Path(),
) -> None:
    """The dictionary with what stewards decided added to it, as YAML to put into the pack.

    Example: fonds dictionary export --out rules/radiology/tables/procedures.yaml
    """
    import sys

    from fonds.normalize.dictionary import grown
    from fonds.project.settings import load

    text = grown(load(project), rule)
    if out is None:
        sys.stdout.write(text)
    else:
        out.write_text(text, encoding="utf-8")

"""`fonds match`: runs the stage; draws pairs to label, measures by the labels, advises thresholds."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fonds.cli.stages import STAGES, JsonOption, ProjectOption, run_stage

if TYPE_CHECKING:
    from fonds.match.advise import Advice
    from fonds.match.estimate import Share
    from fonds.match.evaluate import Evaluation
    from fonds.project.settings import Project

LabelsOption = Annotated[
    Path | None,
    typer.Option("--labels", metavar="FILE", help="Labels made elsewhere: CSV with record_a, record_b, same."),
]


def register(app: typer.Typer) -> None:
    """Add the command and what belongs to it."""
    group = typer.Typer()
    group.callback(invoke_without_command=True, help=f"{STAGES['match']}\n\nExample: fonds match")(match)
    group.command("sample")(sample)
    group.command("evaluate")(evaluate)
    group.command("advise")(advise)
    app.add_typer(group, name="match")


def match(
    context: typer.Context,
    project: ProjectOption = Path(),
    force: Annotated[bool, typer.Option("--force", help="Compare all records again.")] = False,
    refit: Annotated[bool, typer.Option("--refit", help="Fit the weights anew, and compare all records.")] = False,
    json: JsonOption = False,
) -> None:
    """Run the stage, unless a command of the group is called."""
    if context.invoked_subcommand is None:
        run_stage("match", project, json, force=force, refit=refit)
        return
    sources = [context.get_parameter_source(name) for name in context.params]
    if any(source is not None and source.name == "COMMANDLINE" for source in sources):
        command = context.invoked_subcommand
        raise typer.BadParameter(f"options stand behind the command: fonds match {command} --project FOLDER")


def sample(
    project: ProjectOption = Path(),
    size: Annotated[int, typer.Option("--size", min=10, help="About how many pairs to draw.")] = 200,
    seed: Annotated[int, typer.Option("--seed", help="Another number draws other pairs.")] = 1,
    json: JsonOption = False,
) -> None:
    """Draw pairs for people to label at the desk, from all bands of probability. What is labelled stays drawn.

    Example: fonds match sample; fonds match sample --size 400
    """
    from fonds.cli import show
    from fonds.match.sample import sample as draw
    from fonds.project.settings import load

    drawn = draw(load(project), size=size, seed=seed)
    if json:
        show.as_json(drawn.strata.to_dicts())
        return
    show.frame(drawn.strata, "Drawn to be labelled")
    labelled = int(drawn.strata["labelled"].sum())
    show.data.print(
        f"{drawn.pairs.height - labelled} pairs wait for a label: fonds desk, queue sample; then fonds match evaluate",
        highlight=False,
        soft_wrap=True,
    )


def evaluate(
    project: ProjectOption = Path(),
    labels: LabelsOption = None,
    width: Annotated[
        float, typer.Option("--width", min=0.001, max=0.5, help="How wide the 95 % intervals may be.")
    ] = 0.05,
    picture: Annotated[
        Path | None, typer.Option("--picture", metavar="FILE.svg", help="Draw the calibration into this file.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Precision, recall and calibration as far as the labelled sample tells, with 95 % intervals.

    Example: fonds match evaluate; fonds match evaluate --labels labels.csv --picture calibration.svg
    """
    from fonds.cli import show
    from fonds.match.evaluate import evaluate as measure
    from fonds.project.settings import load

    found = measure(load(project), labels=labels, width=width)
    if picture is not None:
        _calibration_picture(found, picture)
    if json:
        show.as_json(asdict(found) | {"calibration": found.calibration.to_dicts()})
        return
    _tell(found)


def advise(
    project: ProjectOption = Path(),
    *,
    false_merge: Annotated[float, typer.Option("--false-merge", min=0, metavar="COST", help="Of one false merge.")],
    missed_merge: Annotated[float, typer.Option("--missed-merge", min=0, metavar="COST", help="Of one missed merge.")],
    minute: Annotated[float, typer.Option("--minute", min=0, metavar="COST", help="Of a minute of review.")],
    minutes_per_pair: Annotated[float, typer.Option("--minutes-per-pair", min=0.05, help="It takes to review.")] = 2.0,
    labels: LabelsOption = None,
    json: JsonOption = False,
) -> None:
    """Which thresholds cost least, and how many hours of review they take. Nothing is changed.

    Example: fonds match advise --false-merge 5000 --missed-merge 200 --minute 1
    """
    from fonds.cli import show
    from fonds.match.advise import Costs
    from fonds.match.advise import advise as weigh
    from fonds.project.settings import load

    opened = load(project)
    found = weigh(opened, Costs(false_merge, missed_merge, minute, minutes_per_pair), labels=labels)
    if json:
        show.as_json(asdict(found))
        return
    _advice(found, opened)


def _tell(found: Evaluation) -> None:
    import polars as pl

    from fonds.cli import show

    def say(text: str, style: str = "") -> None:
        show.data.print(text, highlight=False, soft_wrap=True, style=style)

    if found.checked:
        say(f"By {found.labelled} labels of the sample drawn from run {found.run}; 95 % intervals in brackets.\n")
    else:
        say("As the model states it; nobody has checked it.\n", "yellow")
    rows = [
        {
            "link threshold": f"{at.threshold:g}" + (" (in use)" if at == found.current else ""),
            "pairs linked": at.linked,
            "precision": _share(at.precision),
            "recall": _share(at.recall),
        }
        for at in found.thresholds
    ]
    show.frame(pl.DataFrame(rows), "What is linked, and what would be")
    if found.checked:
        calibrated = pl.DataFrame(
            {
                "stated, %": f"{100 * band['low']:g}–{100 * band['high']:g}",
                "on average": _percent(band["stated"]),
                "labelled": band["labelled"],
                "true, %": f"{_percent(band['share'])} ({_percent(band['share_low'])}–{_percent(band['share_high'])})",
                "fits": "yes" if band["fits"] else "no",
            }
            for band in found.calibration.iter_rows(named=True)
        )
        show.frame(calibrated, "Calibration: of the pairs stated so, how many are true")
    below = found.below
    say(
        f"Recall is of pairs stated at {found.floor:g} or more. Of {below['pairs']:,.0f} pairs below, the model states "
        f"{below['stated']:,.1f} to be true; of {below['labelled']:.0f} labelled {below['true']:.0f} are. "
        "Pairs that no blocking rule finds are not included."
    )
    if found.unfound is not None:
        count, *rules = found.unfound
        say(f"Of those there are at least {count:,}, as far as the rules {' and '.join(rules)} tell of each other.")
    if found.ignored:
        say(f"{found.ignored} labels are of pairs that nobody drew by chance and are left out.")
    if found.stale:
        say(
            "The thresholds were changed since the sample was drawn: fonds match sample draws to the new ones.",
            "yellow",
        )
    if found.unlabelled:
        say(f"{found.unlabelled} pairs of the sample wait for a label at the desk (queue sample).")
    elif not found.checked:
        say("To check it: fonds match sample draws pairs, fonds desk asks about them, fonds match evaluate measures.")
    if found.missing:
        size = found.labelled + found.missing
        say(
            f"{found.missing} more labels would make both intervals no wider than {100 * found.width:g} %: "
            f"fonds match sample --size {size}"
        )


def _share(share: Share | None) -> str:
    if share is None:
        return "unknown"
    value = f"{_percent(share.value)} %"
    return (
        value if share.low == share.value == share.high else f"{value} ({_percent(share.low)}–{_percent(share.high)})"
    )


def _percent(share: float) -> str:
    """Never rounded up to 100."""
    return f"{int(share * 10_000) / 100:g}"


def _calibration_picture(found: Evaluation, path: Path) -> None:
    import polars as pl

    from fonds.errors import QueryRefused
    from fonds.report.charts import chart_svg
    from fonds.report.definition import Chart

    if not found.checked:
        raise QueryRefused(
            "without a labelled pair there is nothing to draw; `fonds match sample` draws pairs to label"
        )
    block = Chart(
        query="calibration",
        kind="chart",
        chart="intervals",
        x="band",
        y="share",
        mark="stated",
        span=("share_low", "share_high"),
        x_title="stated probability",
        y_title="share of true pairs",
    )
    banded = found.calibration.with_columns(
        band=pl.Series([f"{100 * a:g}–{100 * b:g} %" for a, b in found.calibration.select("low", "high").iter_rows()])
    )
    path.write_text(chart_svg(block, banded), encoding="utf-8")


def _advice(found: Advice, project: Project) -> None:
    import polars as pl

    from fonds.cli import show

    rows = [
        {
            "": one.name,
            "link": f"{one.link:.9g}",
            "review": f"{one.review:.9g}",
            "linked": one.linked,
            "false merges": round(one.false_merges, 1),
            "missed merges": round(one.missed_merges, 1),
            "to review": one.reviews,
            "hours": round(one.hours, 1),
            "cost": round(one.cost),
        }
        for one in found.choices
    ]
    show.frame(pl.DataFrame(rows), "Thresholds and what to expect of them")
    source = (
        f"corrected by {found.calibrated} labels of the sample"
        if found.calibrated
        else f"as the model states them: {found.labelled} labels are too few to correct them (fonds match sample)"
    )
    show.data.print(
        f"Probabilities are {source}. Counted are pairs that a threshold moves; constraints and link_needs stay in "
        f"force, and {found.always} pairs go to a person at any threshold. 'stricter' and 'looser' take a false merge "
        "for ten times and a tenth of what you said.",
        highlight=False,
        soft_wrap=True,
    )
    advised = next(one for one in found.choices if one.name == "advised")
    name = f"matchers/{project.settings.matcher}.yaml"
    shipped, own = project.find(name), project.root / name
    where = f"in {own}" if shipped == own else f"copy {shipped} to {own} and"
    show.data.print(
        f"To use the advised: {where} set bands: link to {advised.link:.9g}, review to {advised.review:.9g}; "
        "then fonds match.",
        highlight=False,
        soft_wrap=True,
        markup=False,
    )

"""Quality of the metadata: where it is lost, what the rules bring, and what to mend first."""

import marimo

app = marimo.App(width="medium", app_title="Quality")


@app.cell
def _():
    import os
    from pathlib import Path

    import altair as alt
    import duckdb
    import marimo as mo

    from fonds.project.settings import load

    return Path, alt, duckdb, load, mo, os


@app.cell
def _(Path, duckdb, load, mo, os):
    demo = Path(__file__).resolve().parents[1] / "demo"
    project = load(Path(os.environ.get("FONDS_PROJECT") or (demo if demo.is_dir() else ".")))
    catalog = duckdb.connect(str(project.catalog_dir / "catalog.duckdb"), read_only=True)
    mo.md(
        f"# Quality of {project.settings.name}\n\nQuality is 1 - Σ(weight × failed) / Σ(weight × applicable): blocking "
        "failures weigh 100, critical ones 20, major ones 5, minor ones 1. What a check doesn't apply to counts on "
        "neither side. All numbers are views of the catalog."
    )
    return (catalog,)


@app.cell
def _(catalog, mo):
    index = catalog.sql(
        "SELECT coalesce(source, department, 'all') AS name, scope, checks, failed, blocking, quality, quality_after "
        "FROM quality_index WHERE applicable IS NOT NULL ORDER BY scope, name"
    ).pl()
    mo.vstack([mo.md("## As found, and with approved changes applied"), mo.ui.table(index, selection=None)])
    return (index,)


@app.cell
def _(catalog, mo):
    sources = catalog.sql("SELECT DISTINCT source FROM quality_by_cell ORDER BY 1").pl()["source"].to_list()
    chosen = mo.ui.dropdown(["all", *sources], value="all", label="Source")
    mo.vstack([mo.md("## By modality and year"), chosen])
    return (chosen,)


@app.cell
def _(alt, catalog, chosen, mo):
    cells = catalog.execute(
        "SELECT source, modality, study_year, quality, failed, applicable FROM quality_by_cell "
        "WHERE quality IS NOT NULL AND ($1 = 'all' OR source = $1) ORDER BY ALL",
        [chosen.value],
    ).pl()
    mo.ui.altair_chart(
        alt.Chart(cells)
        .mark_rect()
        .encode(
            x=alt.X("study_year:O", title="year"),
            y=alt.Y("modality:N", title=None),
            color=alt.Color("mean(quality):Q", scale=alt.Scale(domain=[0.9, 1], scheme="redyellowblue", clamp=True)),
            tooltip=["source", "modality", "study_year", "quality", "failed", "applicable"],
        )
    )
    return (cells,)


@app.cell
def _(alt, catalog, mo):
    trend = catalog.sql(
        "SELECT run, assessed, source, quality, checks_changed, change FROM quality_trend ORDER BY source, run"
    ).pl()
    mo.vstack([
        mo.md("## Over the runs\n\nCompare `change`: it leaves out checks that are new or have another version."),
        mo.ui.altair_chart(
            alt.Chart(trend)
            .mark_line(point=True)
            .encode(x="run:O", y=alt.Y("quality:Q").scale(zero=False), color="source:N")
        ),
        mo.ui.table(trend, selection=None),
    ])  # fmt: skip
    return (trend,)


@app.cell
def _(catalog, mo):
    offenders = catalog.sql(
        "SELECT kind, name, source, failed, share FROM worst_offenders "
        "QUALIFY row_number() OVER (PARTITION BY kind ORDER BY weighted DESC, name) <= 10 "
        "ORDER BY kind, share DESC, name"
    ).pl()
    mo.vstack([mo.md("## Where most of it comes from"), mo.ui.table(offenders, selection=None)])
    return (offenders,)


@app.cell
def _(catalog, mo):
    effect = catalog.sql(
        "SELECT rule, state, changes, objects, studies, clears FROM rule_effect "
        "ORDER BY clears DESC, changes DESC, rule, state"
    ).pl()
    mo.vstack([mo.md("## What each rule brings"), mo.ui.table(effect, selection=None)])
    return (effect,)


@app.cell
def _(catalog, mo):
    gates = catalog.sql(
        "SELECT stage, suite, source, check_id, name, unexpected, evaluated, mostly, stops FROM gates "
        "WHERE NOT success ORDER BY stops = 'wave' DESC, stage, suite, source, check_id"
    ).pl()
    mo.vstack([mo.md("## Expectations that fail"), mo.ui.table(gates, selection=None)])
    return (gates,)


if __name__ == "__main__":
    app.run()

"""Tuning the match model: fitted weights, the weights of the pairs, what a threshold would link, and sample pairs."""

import marimo

app = marimo.App(width="medium", app_title="Tune the matcher")


@app.cell
def _():
    import json
    import os
    from pathlib import Path

    import altair as alt
    import marimo as mo
    import polars as pl

    from fonds.catalog.store import Catalog
    from fonds.project.settings import load

    return Catalog, Path, alt, json, load, mo, os, pl


@app.cell
def _(Catalog, Path, json, load, mo, os, pl):
    demo = Path(__file__).resolve().parents[1] / "demo"
    project = load(Path(os.environ.get("FONDS_PROJECT") or (demo if demo.is_dir() else ".")))
    pairs = Catalog(project).read("pairs")
    kept = project.catalog_dir / "match" / "fitted.json"
    fitted = json.loads(kept.read_text(encoding="utf-8")) if kept.is_file() else {"comparisons": {}}
    weights = pl.DataFrame(
        [{"comparison": name, **level} for name, levels in fitted["comparisons"].items() for level in levels],
        schema={"comparison": pl.String, "level": pl.String, "m": pl.Float64, "u": pl.Float64, "weight": pl.Float64},
    )
    mo.md(
        f"# Tune the matcher\n\n{pairs.height} pairs of project **{project.settings.name}**, model "
        f"`matchers/{project.settings.matcher}.yaml`. Weights are log2: one more doubles the odds."
    )
    return pairs, weights


@app.cell
def _(alt, mo, weights):
    mo.ui.altair_chart(
        alt.Chart(weights)
        .mark_bar()
        .encode(x="weight:Q", y=alt.Y("level:N", sort=None), row=alt.Row("comparison:N", sort=None))
        .resolve_scale(y="independent")
        .properties(title="What each level of agreement is worth", width=420)
    )
    return


@app.cell
def _(alt, mo, pairs):
    mo.ui.altair_chart(
        alt.Chart(pairs.select("weight", "band"))
        .mark_bar()
        .encode(x=alt.X("weight:Q", bin=alt.Bin(maxbins=50)), y="count()", color="band:N")
        .properties(title="Pairs by weight and band", width=520)
    )
    return


@app.cell
def _(mo):
    threshold = mo.ui.slider(0, 25, value=10, step=0.5, label="link from weight", show_value=True)
    threshold
    return (threshold,)


@app.cell
def _(mo, pairs, pl, threshold):
    above = pairs.filter(pl.col("weight") >= threshold.value)
    counts = above.group_by("band").len().sort("band")
    mo.vstack(
        [mo.md(f"At weight {threshold.value} (probability {1 / (1 + 2**-threshold.value):.5f}) and above:"), counts]
    )
    return


@app.cell
def _(mo, pairs, threshold):
    near = (
        pairs.with_columns(distance=(pairs["weight"] - threshold.value).abs())
        .sort("distance", "record_a", "record_b")
        .head(10)
        .select("record_a", "record_b", "weight", "band", "note", "evidence")
    )
    mo.vstack([mo.md("The pairs nearest to the threshold:"), near])
    return


if __name__ == "__main__":
    app.run()

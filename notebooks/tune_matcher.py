"""Tuning the match model: fitted weights and classes, the pairs by weight, what a threshold would link, calibration."""

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
    from fonds.match.evaluate import evaluate
    from fonds.project.settings import load

    return Catalog, Path, alt, evaluate, json, load, mo, os, pl


@app.cell
def _(Catalog, Path, json, load, mo, os, pl):
    demo = Path(__file__).resolve().parents[1] / "demo"
    project = load(Path(os.environ.get("FONDS_PROJECT") or (demo if demo.is_dir() else ".")))
    pairs = Catalog(project).read("pairs")
    kept = project.catalog_dir / "match" / "fitted.json"
    fitted = json.loads(kept.read_text(encoding="utf-8")) if kept.is_file() else {"comparisons": {}}
    classes = {"m": "one person", **{name: name for name in fitted.get("relatives", {})}, "u": "at random"}
    weights = pl.DataFrame(
        [{"comparison": name, **level} for name, levels in fitted["comparisons"].items() for level in levels],
        schema={
            "comparison": pl.String,
            "level": pl.String,
            "weight": pl.Float64,
            **dict.fromkeys(classes, pl.Float64),
        },
    )
    mo.md(
        f"# Tune the matcher\n\n{pairs.height} pairs of project **{project.settings.name}**, model "
        f"`matchers/{project.settings.matcher}.yaml`. Weights are log2: one more doubles the odds."
    )
    return classes, fitted, pairs, project, weights


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
def _(alt, classes, fitted, mo, weights):
    shares = (
        weights.rename(classes)
        .unpivot(list(classes.values()), index=["comparison", "level"], variable_name="class", value_name="share")
        .sort("comparison", "level", "class")
    )
    sizes = {"one person": fitted.get("share"), **fitted.get("relatives", {})}
    told = ", ".join(f"{name} {share:.2e}" for name, share in sizes.items() if share)
    mo.vstack(
        [
            mo.md(f"How often each class of pairs reaches each level. Of all pairs: {told or 'not fitted yet'}."),
            mo.ui.altair_chart(
                alt.Chart(shares)
                .mark_rect()
                .encode(
                    x=alt.X("class:N", sort=list(classes.values())),
                    y=alt.Y("level:N", sort=None),
                    row=alt.Row("comparison:N", sort=None),
                    color=alt.Color("share:Q", scale=alt.Scale(type="sqrt", domain=[0, 1])),
                    tooltip=["comparison", "level", "class", "share"],
                )
                .resolve_scale(y="independent")
                .properties(width=260)
            ),
        ]
    )
    return (shares,)


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


@app.cell
def _(Catalog, alt, evaluate, mo, project):
    drawn = Catalog(project).read("match_sample").height
    calibration = evaluate(project).calibration if drawn else None
    if calibration is None or calibration.is_empty():
        shown = mo.md("No label yet: `fonds match sample` draws pairs, the desk asks about them (state *sample*).")
    else:
        base = alt.Chart(calibration).encode(x=alt.X("stated:Q", title="stated probability"))
        scale = alt.Scale(domain=[0, 1])
        shown = mo.vstack(
            [
                mo.md("What is stated, and the true share among the labelled pairs (95 % intervals):"),
                mo.ui.altair_chart(
                    base.mark_rule().encode(y=alt.Y("share_low:Q", scale=scale, title="true share"), y2="share_high:Q")
                    + base.mark_point(filled=True).encode(y="share:Q")
                ),
                calibration,
            ]
        )
    shown
    return (calibration,)


if __name__ == "__main__":
    app.run()

"""The picture of calibration: what share of pairs is true, where the tools state a probability."""

from __future__ import annotations

from pathlib import Path

import altair as alt
import polars as pl
import vl_convert as vlc
from matching_measure import calibration

TARGET = Path(__file__).parent.parent / "docs/images"
SHOWN = {"fonds": "Fonds", "splink": "Splink"}
# fixed order and colours that colour-blind readers tell apart
COLOURS = {"Fonds": "#1f5fa8", "Splink": "#d9822b"}
TICKS = [0.001, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999, 0.9999]


def draw(folders: dict[str, Path]) -> str:
    """Write matching-calibration.svg of the sets measured in these folders; returns where it is."""
    found = []
    for name, folder in folders.items():
        persons = pl.read_parquet(folder / "persons.parquet")["person"]
        for tool, title in SHOWN.items():
            if (folder / tool).exists():
                bins = calibration(pl.read_parquet(folder / tool / "pairs.parquet"), persons)
                found.append(bins.with_columns(pl.lit(name).alias("set"), pl.lit(title).alias("tool")))
    rows = pl.concat(found)
    odds = [pl.col(name).clip(1e-4, 1 - 1e-5) for name in ("stated", "share")]
    rows = rows.with_columns((one / (1 - one)).log10().alias(name) for one, name in zip(odds, ("x", "y"), strict=True))
    ends = pl.DataFrame({"x": [-3.0, 5.0], "y": [-3.0, 5.0]})
    ideal = alt.Chart(ends.to_pandas()).mark_line(strokeDash=[4, 4], color="#888").encode(x="x:Q", y="y:Q")
    label = " : ".join(f"datum.value == {_odds(tick)} ? '{tick}'" for tick in TICKS) + " : ''"
    axis = alt.Axis(values=[_odds(tick) for tick in TICKS], labelExpr=label)
    points = (
        alt.Chart(rows.to_pandas())
        .mark_line(point=True)
        .encode(
            x=alt.X("x:Q", title="stated probability", axis=axis, scale=alt.Scale(domain=[-3, 5])),
            y=alt.Y("y:Q", title="true share of pairs", axis=axis, scale=alt.Scale(domain=[-3, 5])),
            color=alt.Color(
                "tool:N", title=None, scale=alt.Scale(domain=list(COLOURS), range=list(COLOURS.values())),
                legend=alt.Legend(orient="top"),
            ),
        )
    )  # fmt: skip
    each = [
        (ideal + points.transform_filter(alt.datum.set == name)).properties(title=name, width=230, height=230)
        for name in folders
    ]
    chart = alt.concat(*each, columns=3).configure_view(stroke=None)
    TARGET.mkdir(parents=True, exist_ok=True)
    path = TARGET / "matching-calibration.svg"
    path.write_text(vlc.vegalite_to_svg(chart.to_dict()), encoding="utf-8")
    return str(path)


def _odds(share: float) -> float:
    return float(round(pl.Series([share / (1 - share)]).log10()[0], 4))

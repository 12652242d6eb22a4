"""Merges that feeds tell, followed to the identifier that is left at the end of each chain."""

from __future__ import annotations

import duckdb
import numpy as np
import numpy.typing as npt
import polars as pl

# in the order of time, so that of several merges of one identifier the newest is the last
_TOLD = """
SELECT feed, coalesce(nullif(trim(retired_issuer), ''), 'feed ' || feed) AS retired_issuer, retired_id,
    coalesce(nullif(trim(issuer), ''), 'feed ' || feed) AS issuer, patient_id, "at", event,
    coalesce(plain_id(retired_id), retired_id) AS gone, coalesce(plain_id(patient_id), patient_id) AS stays
FROM feed_merges ORDER BY "at" NULLS FIRST, feed, retired_issuer, retired_id, issuer, patient_id
"""
_Numbers = npt.NDArray[np.int64]


def merges(connection: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """Every retired identifier with the one it came down to, over all feeds; `connection` is one of the catalog.

    Columns: feed, retired_issuer, retired_id, issuer, patient_id (the last survivor), at, event, chained (what it was
    merged into was retired, too) and cycle (a number where merges lead back to where they began, else NULL: then the
    newest of them names the survivor). Issuers are written as matching names them: of an identifier without one,
    ``feed NAME``. Identifiers are as told; chains are followed by their comparable form (0815 and 815 are one). Of what
    several feeds say of one identifier the newest counts.
    """
    told = connection.sql(_TOLD).pl().unique(["retired_issuer", "gone"], keep="last", maintain_order=True)
    named = pl.concat(
        [
            told.select("gone", issuer="retired_issuer", patient_id="retired_id").rename({"gone": "key"}),
            told.select("stays", "issuer", "patient_id").rename({"stays": "key"}),
        ],
        how="diagonal",
    ).with_columns((pl.struct("issuer", "key").rank("dense") - 1).cast(pl.Int64).alias("node"))
    node = named["node"].to_numpy()
    gone, stays = node[: told.height], node[told.height :]
    leads = np.arange(named["node"].n_unique(), dtype=np.int64)
    leads[gone] = stays
    circle = _opened(leads, gone)
    last = _followed(leads)[gone]
    ends = named.unique("node", keep="last").sort("node").select("issuer", "patient_id")[last]
    return (
        told.select("feed", "retired_issuer", "retired_id", "at", "event")
        .hstack(ends)
        .with_columns(chained=pl.Series(last != stays, dtype=pl.Boolean), cycle=pl.Series(circle[gone], dtype=pl.Int64))
        .with_columns(pl.col("cycle").replace(-1, None))
        .filter(pl.Series(last != gone, dtype=pl.Boolean))
        .select("feed", "retired_issuer", "retired_id", "issuer", "patient_id", "at", "event", "chained", "cycle")
    )


def _followed(leads: _Numbers) -> _Numbers:
    """Where each node ends: twice as many steps with every round."""
    for _ in range(leads.size.bit_length()):
        leads = leads[leads]
    return leads


def _opened(leads: _Numbers, gone: _Numbers) -> _Numbers:
    """Cut each circle at its oldest merge (`gone` is in the order of time); the circle each node runs into, or -1."""
    circle = np.full(leads.size, -1, dtype=np.int64)
    # after as many steps as there are nodes, whoever isn't at an end walks a circle
    far = _followed(leads)
    walking = leads[far] != far
    if not walking.any():
        return circle
    least, step = np.arange(leads.size, dtype=np.int64), leads
    for _ in range(leads.size.bit_length()):
        least, step = np.minimum(least, least[step]), step[step]
    circle[walking] = least[far[walking]]
    age = np.empty(leads.size, dtype=np.int64)
    age[gone] = np.arange(gone.size)
    on = np.unique(far[walking])
    oldest = (
        pl.DataFrame({"node": on, "circle": circle[on], "age": age[on]})
        .sort("age")
        .unique("circle", keep="first", maintain_order=True)
    )
    cut = oldest["node"].to_numpy()
    leads[cut] = cut
    return circle

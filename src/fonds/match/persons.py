"""Person identifiers that stay from run to run, which records are settled, and the events of every person."""

from __future__ import annotations

import polars as pl
from sqlalchemy import select

from fonds.operations.models import PersonNumber, session
from fonds.project.settings import Project


def allocate(project: Project, members: pl.DataFrame) -> pl.DataFrame:
    """Give each cluster its person: `members` (record_id, cluster) → record_id, cluster, person_id.

    A person is named after the record that founded it. A cluster keeps the smallest identifier its records had; of a
    person that was split, the part with the founding record keeps it (or the part with the smallest record, when the
    founder is gone). The other part, like a new cluster, is named after its own smallest record. The allocation is
    kept in the operations store, also of records that are gone: should they come back, they are who they were.
    """
    with session(project) as opened:
        known = {row.record_id: row.person_id for row in opened.scalars(select(PersonNumber))}
    held = pl.DataFrame(
        {"record_id": list(known), "old": list(known.values())}, schema={"record_id": pl.String(), "old": pl.String()}
    )
    joined = members.join(held, on="record_id", how="left").sort("record_id")
    claims = (
        joined.filter(pl.col("old").is_not_null())
        .with_columns((pl.col("record_id") == _founder(pl.col("old"))).alias("founder"))
        .sort("founder", "record_id", descending=[True, False])
        .unique("old", keep="first", maintain_order=True)
        .group_by("cluster")
        .agg(pl.col("old").min().alias("kept"))
    )
    fresh = joined.group_by("cluster").agg((pl.lit("P") + pl.col("record_id").min().str.slice(1)).alias("fresh"))
    named = (
        joined.join(claims, on="cluster", how="left")
        .join(fresh, on="cluster")
        .select("record_id", "cluster", pl.coalesce("kept", "fresh").alias("person_id"))
    )
    rows = named.select("record_id", "person_id").rows()
    changed = [(record, person) for record, person in rows if known.get(record) != person]
    with session(project) as opened:
        for record, person in changed:
            opened.merge(PersonNumber(record_id=record, person_id=person))
    return named.sort("record_id")


def _founder(person: pl.Expr) -> pl.Expr:
    return pl.lit("R") + person.str.slice(1)


def settled(named: pl.DataFrame, pairs: pl.DataFrame) -> pl.DataFrame:
    """The table `persons`: a record is open while a pair of it waits for a person, or its identifier is an overlay."""
    overlay = _either(pairs.filter((pl.col("outcome") == "overlay") & pl.col("decided").ne_missing("link")))
    review = _either(pairs.filter(pl.col("band") == "review"))
    return named.with_columns(
        pl.len().over("cluster").alias("cluster_size"),
        pl.when(pl.col("record_id").is_in(overlay)).then(pl.lit("overlay"))
        .when(pl.col("record_id").is_in(review)).then(pl.lit("review")).alias("reason"),
    ).select(
        "record_id", "person_id", "cluster_size", pl.col("reason").is_null().alias("settled"), "reason"
    )  # fmt: skip


def _either(pairs: pl.DataFrame) -> list[str]:
    return pl.concat([pairs["record_a"], pairs["record_b"]]).unique().to_list()


def events(history: pl.DataFrame, persons: pl.DataFrame, links: pl.DataFrame) -> pl.DataFrame:
    """The history of persons with what is new: created (first record), joined, moved. Nothing is ever taken away.

    What is new follows from the history itself, so that a run that was killed before writing it writes the same.
    """
    last = (
        history.sort("event_id").unique("record_id", keep="last").select("record_id", pl.col("person_id").alias("was"))
    )
    joined = persons.join(last, on="record_id", how="left").filter(pl.col("was").ne_missing(pl.col("person_id")))
    known = set(history["person_id"])
    best = (
        pl.concat([links.select(pl.col(x).alias("record_id"), pl.col(y).alias("other"), "weight", "note", "decided")
                   for x, y in (("record_a", "record_b"), ("record_b", "record_a"))])
        .sort("weight", descending=True).unique("record_id", keep="first", maintain_order=True)
    )  # fmt: skip
    first = (pl.col("record_id") == pl.col("record_id").first().over("person_id")) & ~pl.col("person_id").is_in(known)
    note = pl.when(pl.col("note").is_not_null()).then(pl.lit("; ") + pl.col("note")).otherwise(pl.lit(""))
    why = pl.format("with {} (weight {}{})", "other", pl.col("weight").round(1), note)
    fresh = joined.sort("person_id", "record_id").join(best, on="record_id", how="left", maintain_order="left")
    fresh = fresh.with_columns(
        pl.when(pl.col("was").is_not_null()).then(pl.lit("moved")).when(first).then(pl.lit("created"))
        .otherwise(pl.lit("joined")).alias("kind"),
    ).with_columns(
        pl.when(pl.col("kind") == "created").then(pl.lit("first record of this person"))
        .when(pl.col("kind") == "moved").then(pl.format("from {}, {}", "was", why.fill_null("no link holds it there")))
        .otherwise(why).alias("reason"),
    )  # fmt: skip
    start = history.height
    numbered = fresh.with_row_index("number", offset=start + 1).with_columns(
        (pl.lit("E") + pl.col("number").cast(pl.String).str.zfill(10)).alias("event_id")
    )
    numbered = numbered.with_columns(pl.lit(None, dtype=pl.Int64).alias("run"), pl.col("was").alias("from_person"))
    return pl.concat([history, numbered.select(history.columns)])

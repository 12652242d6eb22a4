"""Person identifiers that stay from run to run, which records are settled, and the events of every person."""

from __future__ import annotations

import polars as pl
from sqlalchemy import insert, select, update

from fonds.operations.models import PersonNumber, session
from fonds.project.settings import Project

_BATCH = 50_000


def allocate(project: Project, members: pl.DataFrame) -> pl.DataFrame:
    """Give each cluster its person: `members` (record_id, raw_record_id, cluster) → record_id, cluster, person_id.

    A person is named after the record that founded it. A cluster keeps the smallest identifier its records had; of a
    person that was split, the part with the founding record keeps it (or the part with the smallest record, when the
    founder is gone). The other part, like a new cluster, is named after its own smallest record. A record that an
    approved identifier split off another (`raw_record_id`) begins as the person of that one. The allocation is kept in
    the operations store, also of records that are gone: should they come back, they are who they were.
    """
    held = _held(project)
    raw = held.rename({"record_id": "raw_record_id", "old": "raw"})
    joined = (
        members.join(held, on="record_id", how="left")
        .join(raw, on="raw_record_id", how="left")
        .with_columns(pl.coalesce("old", "raw").alias("claimed"))
        .sort("record_id")
    )
    named = _named(joined)
    changed = joined.join(named, on="record_id").filter(pl.col("old").ne_missing(pl.col("person_id")))
    rows = changed.select("record_id", "person_id", pl.col("old").is_null().alias("fresh"))
    with session(project) as opened:
        for batch in rows.iter_slices(_BATCH):
            for statement, part in (
                (insert(PersonNumber), batch.filter("fresh")),
                (update(PersonNumber), batch.filter(~pl.col("fresh"))),
            ):
                if part.height:
                    opened.execute(statement, part.select("record_id", "person_id").to_dicts())
    return named


def _held(project: Project) -> pl.DataFrame:
    with session(project) as opened:
        parts = opened.execute(select(PersonNumber.record_id, PersonNumber.person_id)).partitions(_BATCH)
        frames = [pl.DataFrame(list(part), schema=["record_id", "old"], orient="row") for part in parts]
    return pl.concat([pl.DataFrame(schema={"record_id": pl.String(), "old": pl.String()}), *frames])


def _named(joined: pl.DataFrame) -> pl.DataFrame:
    """record_id, cluster, person_id: by what its records claim, in the order of record_id."""
    founders = joined.select(_person("record_id").alias("claimed"), pl.col("cluster").alias("home"))
    claims = (
        joined.select("record_id", "cluster", "claimed").drop_nulls("claimed")
        .join(founders, on="claimed", how="left")
        # where its founder is, there the person is: two clusters never have one name
        .filter(pl.col("home").is_null() | (pl.col("home") == pl.col("cluster")))
        .sort("record_id")
        .unique("claimed", keep="first", maintain_order=True)
        .group_by("cluster").agg(pl.col("claimed").min().alias("kept"))
    )  # fmt: skip
    fresh = joined.group_by("cluster").agg(_person(pl.col("record_id").min()).alias("fresh"))
    return (
        joined.join(claims, on="cluster", how="left")
        .join(fresh, on="cluster")
        .select("record_id", "cluster", pl.coalesce("kept", "fresh").alias("person_id"))
        .sort("record_id")
    )


def _person(record: str | pl.Expr) -> pl.Expr:
    column = pl.col(record) if isinstance(record, str) else record
    return pl.lit("P") + column.str.slice(1)


def settled(named: pl.DataFrame, pairs: pl.DataFrame) -> pl.DataFrame:
    """The table `persons`: a record is open while a pair of it waits for a person, or its identifier is an overlay."""
    overlay = _ends(pairs.filter((pl.col("outcome") == "overlay") & (pl.col("band") != "link")), "overlay")
    review = _ends(pairs.filter(pl.col("band") == "review"), "review")
    open_ = pl.concat([overlay, review]).unique("record_id", keep="first", maintain_order=True)
    return (
        named.join(open_, on="record_id", how="left", maintain_order="left")
        .with_columns(pl.len().over("cluster").alias("cluster_size"))
        .select("record_id", "person_id", "cluster_size", pl.col("reason").is_null().alias("settled"), "reason")
    )


def _ends(pairs: pl.DataFrame, reason: str) -> pl.DataFrame:
    ends = pl.concat([pairs["record_a"], pairs["record_b"]]).unique()
    return pl.DataFrame({"record_id": ends}).with_columns(pl.lit(reason).alias("reason"))


def events(history: pl.DataFrame, persons: pl.DataFrame, members: pl.DataFrame, pairs: pl.DataFrame) -> pl.DataFrame:
    """What is new since `history`: rows of `person_events` (without run) for records whose person is another than last.

    created (first record of a person), joined, merged (every record of its former person came along), split (the first
    to be this person, the former one goes on), moved (any other change). `members` is allocate's (record_id,
    raw_record_id), `pairs` the banded ones. What is new follows from the history itself, so that a run that was killed
    before writing it writes the same.
    """
    last = (
        history.sort("event_id").unique("record_id", keep="last").select("record_id", pl.col("person_id").alias("own"))
    )
    raw = last.select(pl.col("record_id").alias("raw_record_id"), pl.col("own").alias("raw"))
    changed = (
        persons.select("record_id", "person_id")
        .join(last, on="record_id", how="left")
        .filter(pl.col("own").ne_missing(pl.col("person_id")))
        .join(members.select("record_id", "raw_record_id"), on="record_id")
        .join(raw, on="raw_record_id", how="left")
        .with_columns(pl.coalesce("own", "raw").alias("from_person"))
    )
    alive = last.select(pl.col("own").alias("person_id"), pl.lit(True).alias("alive")).unique()
    now = persons.select(pl.col("person_id").alias("from_person"), pl.lit(True).alias("goes_on")).unique()
    changed = (
        changed.join(alive, on="person_id", how="left").join(now, on="from_person", how="left")
        .sort("person_id", "record_id")
        .with_columns(
            pl.col("alive").fill_null(False), pl.col("goes_on").fill_null(False),
            (pl.col("person_id").n_unique().over("from_person") == 1).alias("one_way"),
            (pl.int_range(pl.len()).over("person_id") == 0).alias("first"),
        )
        .with_columns(
            pl.when(pl.col("from_person") == pl.col("person_id")).then(pl.lit("joined"))
            .when(pl.col("from_person").is_null() & pl.col("first") & ~pl.col("alive")).then(pl.lit("created"))
            .when(pl.col("from_person").is_null()).then(pl.lit("joined"))
            .when(~pl.col("goes_on") & pl.col("one_way")).then(pl.lit("merged"))
            .when(pl.col("goes_on") & ~pl.col("alive")).then(pl.lit("split"))
            .otherwise(pl.lit("moved")).alias("kind")
        )
    )  # fmt: skip
    told = _told(changed, persons, last, pairs)
    start = int(str(history["event_id"].max() or "E0")[1:])
    return told.select(
        (pl.lit("E") + pl.int_range(start + 1, start + 1 + pl.len()).cast(pl.String).str.zfill(10)).alias("event_id"),
        "kind", "person_id", "record_id", "from_person", "reason",
    )  # fmt: skip


def _told(changed: pl.DataFrame, persons: pl.DataFrame, last: pl.DataFrame, pairs: pl.DataFrame) -> pl.DataFrame:
    """The events with the evidence in one line: the best link of a record that came, what parts one that left."""
    both = pl.concat(
        pairs.select(pl.col(x).alias("record_id"), pl.col(y).alias("other"), "band", "weight", "note", "decided")
        for x, y in (("record_a", "record_b"), ("record_b", "record_a"))
    ).join(changed.select("record_id", "person_id", "from_person"), on="record_id")
    ranked = both.sort(
        pl.col("decided").is_not_null(), "weight", "other", descending=[True, True, False], nulls_last=True
    )
    note = pl.when(pl.col("note").is_not_null()).then(pl.lit("; ") + pl.col("note")).otherwise(pl.lit(""))
    told = pl.format("with {} (weight {}{})", "other", pl.col("weight").round(1), note)
    came = ranked.filter(pl.col("band") == "link").select("record_id", told.alias("came"))
    was = last.select(pl.col("record_id").alias("other"), pl.col("own").alias("other_was"))
    left = (
        ranked.filter((pl.col("band") != "link") & pl.col("from_person").is_not_null())
        .join(was, on="other", maintain_order="left")
        .filter(pl.col("other_was") == pl.col("from_person"))
        .select("record_id", told.alias("left"))
    )
    for one in (came, left):
        changed = changed.join(one.unique("record_id", keep="first", maintain_order=True), on="record_id", how="left")
    parted = pl.col("left").fill_null("no link holds it there")
    return changed.sort("person_id", "record_id").with_columns(
        pl.when(pl.col("kind") == "created")
        .then(pl.lit("first record of this person"))
        .when(pl.col("from_person") == pl.col("person_id"))
        .then(pl.format("was {} before its identifier was corrected", "raw_record_id"))
        .when(pl.col("kind") == "joined")
        .then(pl.col("came").fill_null("through other records"))
        .when(pl.col("kind") == "merged")
        .then(pl.format("all of {}: {}", "from_person", pl.col("came").fill_null(parted)))
        .when(pl.col("kind") == "split")
        .then(pl.format("from {}: {}", "from_person", parted))
        .otherwise(pl.format("from {}: {}; {}", "from_person", parted, pl.col("came").fill_null("alone")))
        .alias("reason")
    )

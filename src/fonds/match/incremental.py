"""What a run need not compare again: pairs of two records that are as they were, in blocks treated as they were.

A pair's pattern follows from its two records alone. Whether a blocking rule finds it follows from them too, but for
blocks above the rule's limit, which are split: a block that grows past the limit loses pairs, one that shrinks below it
gains some. So a record's fingerprint is of its prepared row and of every too large block that it stands in; a record
whose fingerprint is new is compared with all others again.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from fonds.match.definition import Block, Matcher

SHARD = {"a": pl.Int32(), "b": pl.Int32(), "rules": pl.Int64(), "pattern": pl.Int64()}


def fingerprints(prepared: pl.DataFrame, matcher: Matcher) -> pl.DataFrame:
    """record_id and fingerprint (UInt64) of each prepared record."""
    told = [name for name in prepared.columns if name.startswith("shown_")]
    total = prepared.drop("n", "record_id", "missing", *told).hash_rows(seed=0).to_numpy().copy()
    for number, rule in enumerate(matcher.blocking):
        for rows, hashes in _too_large(prepared, rule, number):
            np.add.at(total, rows, hashes)  # a sum: a record may stand in several blocks of a rule, in no order
    return pl.DataFrame({"record_id": prepared["record_id"], "fingerprint": total})


def fresh(now: pl.DataFrame, last: pl.DataFrame | None) -> pl.Series:
    """Which records (Boolean, in the order of `now`) have another fingerprint than in `last`, or had none; all of them
    when nothing is known of the last run."""
    if last is None:
        return pl.Series("fresh", np.ones(now.height, dtype=np.bool_))
    both = now.join(last, on="record_id", how="left", suffix="_last", maintain_order="left")
    return both.select(pl.col("fingerprint").ne_missing(pl.col("fingerprint_last")).alias("fresh"))["fresh"]


def standing(files: list[Path], ids: pl.Series, fresh: pl.Series, matcher: Matcher) -> pl.DataFrame:
    """The pairs in files of the table `pairs` that blocking rules found and that have no fresh end, as a shard.

    `ids` are the record identifiers by number. Pairs of records that are gone are left out.
    """
    if not files or fresh.all():
        return pl.DataFrame(schema=SHARD)
    old = pl.DataFrame({"record_id": ids, "n": pl.int_range(len(ids), dtype=pl.Int32, eager=True)}).filter(~fresh)
    bits = pl.sum_horizontal(
        pl.lit(0, dtype=pl.Int64),
        *(
            pl.col("blocked_by").list.contains(rule.name).cast(pl.Int64) * (1 << n)
            for n, rule in enumerate(matcher.blocking)
        ),
    )
    return (
        pl.scan_parquet(files).filter(pl.col("blocked_by").list.len() > 0)
        .select("record_a", "record_b", bits.alias("rules"), "pattern")
        .join(old.lazy().rename({"record_id": "record_a", "n": "a"}), on="record_a")
        .join(old.lazy().rename({"record_id": "record_b", "n": "b"}), on="record_b")
        .select(pl.col(name).cast(kind) for name, kind in SHARD.items())
        .collect()
    )  # fmt: skip


def _too_large(
    prepared: pl.DataFrame, rule: Block, number: int
) -> Iterator[tuple[npt.NDArray[np.int64], npt.NDArray[np.uint64]]]:
    """Records in blocks above the rule's limit, and in parts of these that are above it too, with a hash of each."""
    entries, keys = _entries(prepared, rule)
    whole = _above(entries, keys, rule.largest)
    yield _hashed(whole, keys, f"{number}")
    for first in range(len(rule.split)):
        rest, by = whole, list(keys)
        for column in rule.split[first:]:
            by.append(column)
            rest = _above(rest, by, rule.largest)
            yield _hashed(rest, by, f"{number} {first} {column}")


def _entries(prepared: pl.DataFrame, rule: Block) -> tuple[pl.DataFrame, list[str]]:
    """Rows of a record and one key of the rule (n, key columns and those of `split`), and the names of the former."""
    if rule.shared:
        listed = prepared.select("n", pl.col(rule.shared).alias("key"), *rule.split)
        return listed.filter(pl.col("key").list.len() > 0).explode("key").unique(["n", "key"]), ["key"]
    if not rule.crossed:
        return prepared.select("n", *dict.fromkeys((*rule.keys, *rule.split))), list(rule.keys)
    # one side by the family name, the other by the given name, as blocking finds them
    named = prepared.filter(pl.all_horizontal(pl.col("family", "given_first").is_not_null()))
    sides = [
        named.select(
            "n", *dict.fromkeys((*rule.keys, *rule.split)),
            pl.col(mine).alias("key"), pl.col(other).str.slice(0, 2).alias("begins"),
        )
        for mine, other in (("family", "given_first"), ("given_first", "family"))
    ]  # fmt: skip
    return pl.concat(sides), [*rule.keys, "key", "begins"]


def _above(entries: pl.DataFrame, keys: list[str], largest: int) -> pl.DataFrame:
    return entries.drop_nulls(keys).filter(pl.len().over(keys) > largest)


def _hashed(rows: pl.DataFrame, keys: list[str], salt: str) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint64]]:
    salted = rows.select(*keys, pl.lit(salt).alias("salt"))
    return rows["n"].to_numpy(), salted.hash_rows(seed=0).to_numpy()

"""The index's word where it wins over the files': what objects say before the rules act (table `drift`)."""

from __future__ import annotations

import duckdb

from fonds.catalog.store import literal, quote

# The winning value of each object and attribute: a study's holds for all its objects, but only for those that carry the
# value the row of `drift` is about. Of two indexes of one archive the one fonds.yaml names first has the word.
_WINNERS = """
INSERT INTO winners
SELECT i.source, i.location, d.attribute, d.winning_value,
    {{'rule': d.rule, 'pack': d.pack || '/' || d.index_source, 'pack_version': d.pack_version, 'pack_hash': d.pack_hash,
      'reason': d.reason, 'needs': d.needs}}
FROM instances i
    JOIN drift d ON d.source = i.source AND d.study_uid = trim(i.StudyInstanceUID) AND d.attribute = {word}
        AND i.{column} IS NOT DISTINCT FROM d.file_value
        AND (d.series_uid IS NULL OR d.series_uid = trim(i.SeriesInstanceUID))
        AND (d.sop_uid IS NULL OR d.sop_uid = trim(i.SOPInstanceUID))
    JOIN sources s ON s.source = d.index_source
WHERE d.winner = 'index' AND i.{column} IS DISTINCT FROM d.winning_value
QUALIFY row_number() OVER (PARTITION BY i.source, i.location ORDER BY s.position, d.sop_uid, d.series_uid) = 1
"""
MADE = "STRUCT(rule VARCHAR, pack VARCHAR, pack_version VARCHAR, pack_hash VARCHAR, reason VARCHAR, needs VARCHAR)"


def collect(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the table `winners`: source, location, attribute, value and (as `made`) whose word it is."""
    connection.execute(
        f"CREATE TEMP TABLE winners (source VARCHAR, location VARCHAR, attribute VARCHAR, value VARCHAR, made {MADE})"
    )
    words = connection.sql("SELECT DISTINCT attribute FROM drift WHERE winner = 'index' ORDER BY 1").fetchall()
    for (word,) in words:
        connection.execute(_WINNERS.format(word=literal(word), column=quote(word)))


def tell(connection: duckdb.DuckDBPyConnection) -> frozenset[str]:
    """Make the view `told`: `instances` with the winning values in place; returns the attributes that have some.

    Beside each of these, WORD:raw is what the object says and WORD:made whose word it is, NULL where that is its own.
    """
    words = [row[0] for row in connection.sql("SELECT DISTINCT attribute FROM winners ORDER BY 1").fetchall()]
    if words:
        picks = ", ".join(
            f"any_value({{'value': value, 'made': made}}) FILTER (attribute = {literal(word)}) AS {quote(word)}"
            for word in words
        )
        connection.execute(
            f"CREATE OR REPLACE TEMP TABLE overlay AS SELECT source, location, {picks} FROM winners GROUP BY ALL"
        )
        replaced = ", ".join(
            f"CASE WHEN o.{quote(word)} IS NULL THEN i.{quote(word)} ELSE o.{quote(word)}.value END AS {quote(word)}"
            for word in words
        )
        beside = ", ".join(
            f"i.{quote(word)} AS {quote(f'{word}:raw')}, o.{quote(word)}.made AS {quote(f'{word}:made')}"
            for word in words
        )
        connection.execute(
            f"CREATE OR REPLACE TEMP VIEW told AS SELECT i.* REPLACE ({replaced}), {beside} "
            f"FROM instances i LEFT JOIN overlay o ON o.source = i.source AND o.location = i.location"
        )
    return frozenset(words)


def stewards(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Rules of winning values that need a steward."""
    rows = connection.sql("SELECT DISTINCT made.rule FROM winners WHERE made.needs = 'steward' ORDER BY 1").fetchall()
    return [rule for (rule,) in rows]


def withdraw(connection: duckdb.DuckDBPyConnection) -> bool:
    """Take back winning values that were rejected (view `judged`): the rules then act on what the files say.

    Returns whether there were some. The table `withdrawn` has the rows of `judged` that were rejected with them.
    """
    won = connection.sql("FROM winners LIMIT 1").fetchall()
    which = "WHERE state = 'rejected' AND rule LIKE 'drift.%'" if won else "LIMIT 0"
    connection.execute(f"CREATE OR REPLACE TEMP TABLE withdrawn AS FROM judged {which}")
    (taken,) = connection.execute(
        "DELETE FROM winners w WHERE EXISTS (FROM withdrawn j WHERE j.source = w.source AND j.location = w.location "
        "AND j.attribute = w.attribute)"
    ).fetchall()[0]
    return bool(taken)

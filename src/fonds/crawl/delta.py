"""Compares what a source lists with what is catalogued and staged: what to read, and the rows that follow."""

from __future__ import annotations

from pathlib import Path

from fonds.archives.naming import MARK
from fonds.catalog.store import Catalog, literal
from fonds.crawl.replacing import Replacement, workspace
from fonds.crawl.shard import KINDS, Kind
from fonds.errors import CatalogInvalid

# a permission or a mount may be mended without a new modification time, so these are tried again each time
RETRIED = ("permission", "io_error")
_AGAIN = f"({', '.join(literal(reason) for reason in RETRIED)})"
_OUTER = f"NOT contains(location, {literal(MARK)})"
_CONTAINER = f"split_part(location, {literal(MARK)}, 1)"
_IDENTITY = "location, size, mtime_ns"
TODO_ROWS = 4_096


class Difference:
    """One source's listing beside its rows in the catalog and those of finished shards; nothing of it in memory.

    A file (`location` without a mark) is known by size and modification time: from its row in `instances` or
    `unreadable`, or from that of level MEDIA in `entries` when it is a directory or a container. Rows of a container's
    members stay and go with it.
    """

    def __init__(self, catalog: Catalog, name: str, work: Path, staging: Path) -> None:
        self.catalog, self.name, self.work, self.staging = catalog, name, work, staging
        self.connection = workspace(work / "spill")
        for kind in KINDS:
            scanned = catalog.scan(kind, files=catalog.files(kind))
            self._run(f"CREATE VIEW old_{kind} AS SELECT * FROM ({scanned}) WHERE source = {literal(name)}")
        self.refresh_staged()

    def close(self) -> None:
        """Let go of the memory."""
        self.connection.close()

    def refresh_staged(self) -> None:
        """Look again at which shards are finished."""
        for kind in KINDS:
            parts = self._parts(kind)
            shard = "regexp_extract(filename, '([^/]+)/[^/]+$', 1) AS shard"
            self._run(
                f"CREATE OR REPLACE VIEW staged_{kind} AS SELECT *, {shard} FROM "
                f"({self.catalog.scan(kind, files=parts)})"
            )
        self._run(
            f"CREATE OR REPLACE VIEW staged AS "
            f"SELECT {_IDENTITY}, shard FROM staged_instances WHERE {_OUTER} UNION ALL "
            f"SELECT {_IDENTITY}, shard FROM staged_unreadable WHERE {_OUTER} UNION ALL "
            f"SELECT {_IDENTITY}, shard FROM staged_entries WHERE level = 'MEDIA' AND {_OUTER}"
        )

    def compare(self, listing: Path, *, stale: bool, digest: bool, half_written: bool) -> None:
        """Find what the catalog doesn't hold as it is now (`stale`: nothing it holds counts).

        `digest`: objects without digests are to be read for them. `half_written`: a crawl was killed between its
        commits, so what it had staged is put in once more.
        """
        self._run(f"CREATE VIEW found AS FROM read_parquet({literal(str(listing / '*.parquet'))})")
        self._run(
            f"CREATE TEMP TABLE few AS SELECT {_IDENTITY}, reason FROM old_unreadable WHERE {_OUTER} UNION ALL "
            f"SELECT {_IDENTITY}, NULL FROM old_entries WHERE level = 'MEDIA' AND {_OUTER}"
        )
        self._run(f"CREATE VIEW files AS SELECT {_IDENTITY} FROM few UNION ALL "
                  f"SELECT {_IDENTITY} FROM old_instances WHERE {_OUTER}")  # fmt: skip
        # rows of one file in two tables are what a crawl killed between two commits leaves
        self._run(
            f"CREATE TEMP TABLE again AS SELECT location FROM few GROUP BY ALL HAVING count(*) > 1 UNION "
            f"SELECT location FROM few SEMI JOIN old_instances USING (location) UNION "
            f"SELECT {_CONTAINER} FROM old_unreadable WHERE reason IN {_AGAIN}"
        )
        if digest:
            self._run(f"INSERT INTO again SELECT DISTINCT {_CONTAINER} FROM old_instances WHERE digest_object IS NULL")
        if half_written:
            self._run("INSERT INTO again SELECT location FROM staged")
        if stale or not self._number("SELECT count(*) FROM (FROM files LIMIT 1)"):
            self._run("CREATE VIEW changed AS FROM found")
        else:
            self._run(
                f"CREATE TEMP TABLE changed AS WITH known AS (SELECT * FROM files ANTI JOIN again USING (location)) "
                f"SELECT * FROM found ANTI JOIN known USING ({_IDENTITY})"
            )
        self.changed = self._number("SELECT count(*) FROM changed")
        self.vanished = self._number("SELECT count(*) FROM files ANTI JOIN found USING (location)")
        self.found = self._number("SELECT count(*) FROM found")
        self.bytes = self._number("SELECT coalesce(sum(size), 0)::BIGINT FROM found")

    def to_read(self, target: Path) -> int:
        """Write what neither the catalog nor a finished shard knows into a Parquet file; returns how many files."""
        staged = "" if not any(self._parts(kind) for kind in KINDS) else f" ANTI JOIN staged USING ({_IDENTITY})"
        count = self._number(f"SELECT count(*) FROM (FROM changed{staged})")
        if count:
            self._run(
                f"COPY (SELECT {_IDENTITY}, problem, message FROM changed{staged} ORDER BY number) "
                f"TO {literal(str(target))} (FORMAT parquet, ROW_GROUP_SIZE {TODO_ROWS}, PRESERVE_ORDER true)"
            )
        return count

    @property
    def nothing(self) -> bool:
        """Whether the catalog holds what was listed, and nothing else."""
        return not self.changed and not self.vanished

    def settle(self) -> None:
        """Choose the staged rows that hold; raises CatalogInvalid when a file that was to be read has none."""
        self.refresh_staged()
        self._run(
            f"CREATE TEMP TABLE valid AS SELECT location, min(shard) AS shard FROM staged "
            f"SEMI JOIN changed USING ({_IDENTITY}) GROUP BY location"
        )
        holding = self._number("SELECT count(*) FROM valid")
        if holding != self.changed:
            raise CatalogInvalid(f"source {self.name}: {self.changed - holding} file(s) were read and left no row")
        self.whole = self._number("SELECT count(*) FROM staged") == holding

    def replacement(self, kind: Kind) -> bool:
        """Put one table's rows as they follow; returns whether anything was committed."""
        outer = _CONTAINER.replace("location", f"old_{kind}.location")
        gone = (
            f"SELECT filename, file_row_number FROM old_{kind} "
            f"ANTI JOIN (FROM found ANTI JOIN changed USING (number)) kept ON {outer} = kept.location"
        )
        fresh, parts = f"SELECT * EXCLUDE (shard) FROM staged_{kind}", self._parts(kind)
        if not self.whole:
            fresh += (
                f" SEMI JOIN valid ON {_CONTAINER.replace('location', f'staged_{kind}.location')} = valid.location "
            )
            fresh += f"AND staged_{kind}.shard = valid.shard"
            parts = []
        return Replacement(self.catalog, self.connection, kind, self.work).go(gone=gone, fresh=fresh, parts=parts)

    def rows_now(self, kind: Kind) -> int:
        """How many rows the source has in a table."""
        scanned = self.catalog.scan(kind, files=self.catalog.files(kind))
        return self._number(f"SELECT count(*) FROM ({scanned}) WHERE source = {literal(self.name)}")

    def _parts(self, kind: Kind) -> list[Path]:
        return sorted(self.staging.glob(f"[!.]*/{kind}.parquet"))

    def _run(self, statement: str) -> None:
        self.connection.execute(statement)

    def _number(self, query: str) -> int:
        return int(self.connection.execute(query).fetchall()[0][0])

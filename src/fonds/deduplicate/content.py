"""Opens the few files that the catalog alone can't tell apart, and compares what they hold."""

from __future__ import annotations

import polars as pl

from fonds.archives.opening import open_sources
from fonds.dicom.decoded import decoded_digest
from fonds.dicom.differences import differing_attributes
from fonds.operations.runs import StageRun
from fonds.project.settings import Project

# Pixels need decoding when the stored bytes differ with the transfer syntax, or have no digest; the data set needs
# reading when its bytes differ though every catalogued attribute agrees.
UNDECIDED = """
    SELECT p.source, p.location, p.kept_source, p.kept_location, p.pixels,
        len(coalesce(d.differing, [])) = 0 AND NOT p.same_header AS read_attributes
    FROM copy_pairs p LEFT JOIN differing d USING (source, location)
    WHERE NOT p.same_object AND (p.pixels = 'unknown'
        OR (p.pixels IN ('none', 'same') AND len(coalesce(d.differing, [])) = 0 AND NOT p.same_header))
    ORDER BY p.kept_source, p.kept_location, p.source, p.location
"""
SCHEMA = {
    "source": pl.String(),
    "location": pl.String(),
    "pixels": pl.String(),
    "attributes": pl.List(pl.String()),
    "opened": pl.Boolean(),
}


def compare(project: Project, pairs: pl.DataFrame, run: StageRun) -> pl.DataFrame:
    """One row (SCHEMA) for each undecided pair: pixels same | other | undecodable, and the attributes that differ.

    `pairs` are the rows of UNDECIDED. One object at a time is in memory. A file that can't be opened leaves its pair
    undecodable, so that it waits for a person instead of being dropped.
    """
    sources = open_sources(project)
    digests: dict[tuple[str, str], str | None] = {}

    def decoded(source: str, location: str) -> str | None:
        key = (source, location)
        if key not in digests:
            # pairs come by kept copy: its digest serves all of them, older ones are forgotten
            digests.clear()
            with sources[source].open(location) as stream:
                digests[key] = decoded_digest(stream)
        return digests[key]

    rows = []
    # a Python loop: each step opens two files and decodes them, which no table holds
    for done, pair in enumerate(pairs.iter_rows(named=True), 1):
        source, location = pair["source"], pair["location"]
        kept_source, kept_location = pair["kept_source"], pair["kept_location"]
        pixels, attributes, opened = pair["pixels"], list[str](), True
        try:
            if pixels == "unknown":
                kept = decoded(kept_source, kept_location)
                with sources[source].open(location) as stream:
                    copy = decoded_digest(stream)
                pixels = "undecodable" if kept is None or copy is None else "same" if kept == copy else "other"
            if pair["read_attributes"] and pixels in ("none", "same"):
                with (
                    sources[kept_source].open(kept_location) as kept_stream,
                    sources[source].open(location) as stream,
                ):
                    attributes = differing_attributes(kept_stream, stream)
        except (OSError, KeyError):
            # gone since the crawl, or of a source that fonds.yaml has no more
            pixels, opened = "undecodable", False
        rows.append((source, location, pixels, attributes, opened))
        run.progress(done, pairs.height, "pairs opened")
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")

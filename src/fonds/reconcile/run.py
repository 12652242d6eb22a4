"""The reconcile stage: verdicts from the target, one final state a file, sums that must equal the inventory."""

from __future__ import annotations

from itertools import groupby
from typing import Any

import polars as pl

from fonds.archives.opening import open_sources, open_target
from fonds.catalog.schema import TABLES
from fonds.catalog.store import Catalog
from fonds.errors import CatalogInvalid
from fonds.operations.journal import SCHEMA, Journal
from fonds.operations.ledger import ledger, receipts
from fonds.operations.runs import Progress, StageResult, StageRun, stage_run
from fonds.project.settings import DicomTarget, Project
from fonds.reconcile.verify import Row, Verdict, Verifier

# Receipts name objects as the target does: with the UIDs they were sent under.
_SENT = """
WITH standing AS (
    SELECT source, location,
        list({'path': path, 'before': before, 'after': after, 'reason': reason, 'rule': rule} ORDER BY path) AS changes
    FROM standing_changes GROUP BY ALL)
SELECT j.*, i.SOPClassUID AS sop_class_uid, i.transfer_syntax, i.size, a.changes, r.evidence
FROM latest j LEFT JOIN instances i USING (source, location) LEFT JOIN standing a USING (source, location)
    LEFT JOIN reconciliation r ON r.source = j.source AND r.location = j.location AND r.state = 'verified'
WHERE j.state IN ('sent', 'verified') OR (j.state = 'failed' AND j.target_key IS NOT NULL)
ORDER BY j.study_uid, j.source, j.location
"""
# The final state: what the target said of what was sent, else the plan's hold or exclusion, else why it wasn't sent.
_FINAL = """
SELECT n.source, n.location, coalesce(p.sop_uid, i.SOPInstanceUID) AS sop_uid,
    coalesce(p.study_uid, i.StudyInstanceUID) AS study_uid, s.department, coalesce(l.wave, p.wave) AS wave,
    CASE WHEN p.state IS NULL THEN 'held' WHEN p.state <> 'planned' THEN p.state
        WHEN v.state IS NOT NULL THEN v.state WHEN l.state = 'planned' OR l.state IS NULL THEN 'held'
        ELSE 'failed' END AS state,
    CASE WHEN p.state IS NULL THEN 'not-planned' WHEN p.state <> 'planned' THEN coalesce(p.reason, 'no-reason')
        WHEN v.state = 'verified' THEN NULL WHEN v.reason IS NOT NULL THEN v.reason
        WHEN l.state = 'planned' OR l.state IS NULL THEN 'not-sent' WHEN l.state = 'sending' THEN 'no-answer'
        ELSE coalesce(l.reason, l.state) END AS reason,
    CASE WHEN p.state IS NULL THEN 'catalogued after the plan was made; run plan and migrate'
        WHEN p.state <> 'planned' THEN concat_ws('; ', p.detail,
            CASE WHEN l.state IN ('sent', 'verified') THEN 'was sent before and lies at the target' END)
        WHEN v.evidence IS NOT NULL THEN v.evidence
        WHEN l.state = 'planned' OR l.state IS NULL THEN 'its wave was not run yet'
        WHEN l.state = 'sending' THEN 'sent, but no answer came; run migrate again'
        ELSE concat_ws(' ', 'answer', l.status_code, 'in attempt', l.attempt) END AS evidence
FROM inventory n LEFT JOIN plan p USING (source, location) LEFT JOIN now l USING (source, location)
    LEFT JOIN verdicts v USING (source, location) LEFT JOIN instances i USING (source, location)
    LEFT JOIN sources s USING (source)
"""
_VERDICTS = {name: pl.String() for name in ("source", "location", "state", "reason", "evidence", "digest_after")}


def reconcile(project: Project, *, progress: Progress | None = None, force: bool = False) -> StageResult:
    """Give every file of the inventory its final state: verified, held, excluded or failed, with reason and evidence.

    What was sent is read back from the target once and compared with its source; later runs look only whether it is
    still there, unless `force` reads all again. What is missing becomes failed, and the next migrate sends it again.
    Writes `reconciliation` and the `ledger` that follows from it. Raises CatalogInvalid when the sums don't equal the
    inventory, and ArchiveUnreachable when the target doesn't answer.
    """
    with stage_run(
        project, "reconcile", inputs=None, outputs=("reconciliation",), progress=progress, force=force
    ) as run:
        verdicts = _ask(project, run, force)
        written = _write(run, "ledger", ledger(project))
        final = _final(project, verdicts)
        written |= _write(run, "reconciliation", final)
        for state in ("verified", "held", "excluded", "failed"):
            run.count(state, final.filter(pl.col("state") == state).height)
        run.count("files", final.height)
        if run.counts["failed"]:
            run.status = "partial"
            run.left.append(f"{run.counts['failed']} file(s) failed; see: fonds explain, or docs/reconcile.md")
        elif not written:
            run.status = "unchanged"
    return run.result()


def _ask(project: Project, run: StageRun, force: bool) -> list[Verdict]:
    with Catalog(project).connect() as connection:
        connection.register("latest", receipts(project).to_arrow())
        rows: list[Row] = connection.sql(_SENT).pl().to_dicts()
    settings = project.settings.target
    query = settings.query if isinstance(settings, DicomTarget) else "get"
    verifier = Verifier(open_target(project), open_sources(project), query, exact=not isinstance(settings, DicomTarget))
    journal, found = Journal(project), list[Verdict]()
    run.progress(0, len(rows), "objects")
    # one query and one retrieve a study: this is the I/O itself
    for study_uid, group in groupby(rows, key=lambda row: str(row["study_uid"] or "")):
        members = list(group)
        verdicts = list(verifier.study(study_uid, members, again=force))
        states = {(row["source"], row["location"]): row for row in members}
        journal.append(
            _receipt(states[verdict.source, verdict.location], verdict)
            for verdict in verdicts
            if verdict.state is not None and _news(states[verdict.source, verdict.location], verdict)
        )
        found += verdicts
        run.progress(len(found), len(rows), "objects")
    return found


def _news(row: Row, verdict: Verdict) -> bool:
    return verdict.state != row["state"] or (verdict.state == "failed" and verdict.reason != row["reason"])


def _receipt(row: Row, verdict: Verdict) -> dict[str, Any]:
    kept = {name: row.get(name) for name in SCHEMA}
    return {**kept, "state": verdict.state, "reason": verdict.reason, "digest_pixels_after": verdict.digest_after}


def _final(project: Project, verdicts: list[Verdict]) -> pl.DataFrame:
    asked = [(v.source, v.location, v.state, v.reason, v.evidence, v.digest_after) for v in verdicts]
    with Catalog(project).connect() as connection:
        connection.register("verdicts", pl.DataFrame(asked, schema=_VERDICTS, orient="row").to_arrow())
        connection.register("now", ledger(project).to_arrow())
        final = connection.sql(_FINAL).pl()
        inventory = connection.sql("SELECT source, count(*) AS files FROM inventory GROUP BY 1 ORDER BY 1").pl()
    summed = final.group_by("source").agg(pl.len().cast(pl.Int64).alias("files")).sort("source")
    states = set(final["state"].unique().to_list())
    if not summed.equals(inventory) or states - {"verified", "held", "excluded", "failed"}:
        raise CatalogInvalid("reconciliation doesn't add up: its files aren't the inventory's, each in one final state")
    return final.select(list(TABLES["reconciliation"].schema)).sort("source", "location")


def _write(run: StageRun, table: str, frame: pl.DataFrame) -> bool:
    if frame.equals(run.catalog.read(table)):
        return False
    run.replace(table, frame)
    return True

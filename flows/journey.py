"""The stages in order, each its own flow; the journey stops where going on would be wrong."""

from __future__ import annotations

from typing import Any

from prefect import flow

from flows.assess import assess
from flows.crawl import crawl
from flows.deduplicate import deduplicate
from flows.feed import feed
from flows.gates import gates
from flows.link import link
from flows.match import match
from flows.migrate import migrate
from flows.normalize import normalize
from flows.plan import plan
from flows.reconcile import reconcile
from flows.report import report
from fonds.errors import GateClosed
from fonds.operations.runs import StageResult
from fonds.project.settings import load

# gates judge what normalize made, for the plan; match reads feeds and normalised values; plan reads all of them
ORDER = (crawl, feed, assess, normalize, gates, match, deduplicate, link, plan, migrate, reconcile, report)


@flow(name="journey", log_prints=False)
def journey(project: str = ".") -> list[dict[str, Any]]:
    """Walk crawl to report. A stage that stops ends the journey; what it wrote stays and the next run goes on there."""
    done: list[dict[str, Any]] = []
    for stage in ORDER:
        if stage is feed and not load(project).settings.feeds:
            continue
        result = stage(project)
        done.append(result)
        if result["status"] == "stopped":
            break
        if stage is crawl and result["counts"].get("instances", 0) == 0:
            raise GateClosed("the crawl found no DICOM object in any source; check the paths in fonds.yaml")
    return done


def results(done: list[dict[str, Any]]) -> list[StageResult]:
    """The journey's plain data as stage results."""
    return [StageResult(**{**one, "tables": tuple(one["tables"]), "left": tuple(one["left"])}) for one in done]

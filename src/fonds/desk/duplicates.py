"""The pages about duplicates: the queue, one group and the verdict on it, new UIDs that can't be given."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Form, HTTPException, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from fonds.desk import actions, consequences, groups
from fonds.desk.pages import Steward, decision, project_of, reader, show
from fonds.desk.reading import rows
from fonds.operations import audit, decisions
from fonds.operations.models import session as transaction

GONE = "The catalog has no such group any more. What it holds has changed since."
router = APIRouter()
Page = Annotated[int, Query(ge=1, le=100_000)]


@router.get("/duplicates", response_class=HTMLResponse)
def queue(
    request: Request,
    *,
    session: Steward,
    letter: groups.Class = "",
    source: str = "",
    state: groups.State = "open",
    band: groups.Band = "",
    page: Page = 1,
    told: int | None = None,
) -> Response:
    """Groups of duplicates that wait for a person, those first that hold most studies."""
    chosen = groups.Filter(letter, source, state, band)
    with reader(request).cursor() as cursor:
        found, total = groups.page(cursor, chosen, page)
        counts = rows(cursor, "counts", {})[0]
    shown = {
        "groups": found,
        "total": total,
        "filter": chosen,
        "classes": groups.CLASSES,
        "sources": list(project_of(request).sources),
        "page": page,
        "pages": max(1, -(-total // groups.PAGE)),
        "told": decision(request, told),
    }
    return show(request, session, "duplicates.html", counts, shown)


@router.get("/duplicates/{group_id}", response_class=HTMLResponse)
def group(
    request: Request,
    *,
    session: Steward,
    group_id: str,
    letter: groups.Class = "",
    source: str = "",
    state: groups.State = "open",
    band: groups.Band = "",
    told: int | None = None,
) -> Response:
    """One group: its members side by side, and what each verdict would bring. Looking at it is on record, too."""
    chosen = groups.Filter(letter, source, state, band)
    with reader(request).cursor() as cursor:
        found = groups.group_of(cursor, group_id)
        if found is None:
            raise HTTPException(404, GONE)
        view = groups.group_view(cursor, found)
        follows = consequences.follows(cursor, found)
        made = consequences.carried_out(cursor, group_id)
        following = groups.neighbour(cursor, chosen, found)
        before = groups.neighbour(cursor, chosen, found, backwards=True)
        counts = rows(cursor, "counts", {})[0]
        standing = rows(cursor, "group_decisions", {"group": group_id})
    with transaction(project_of(request)) as opened:
        audit.append(opened, session.who, "view", f"duplicate {group_id}")
    shown = {
        "group": view,
        "title": groups.CLASSES[found["class"]],
        "verdicts": groups.VERDICTS[found["class"]],
        "follows": follows,
        "made": made,
        "standing": standing,
        "next": following,
        "before": before,
        "filter": chosen,
        "told": decision(request, told),
    }
    return show(request, session, "group.html", counts, shown)


@router.post("/duplicates/{group_id}")
def decide(
    request: Request,
    *,
    session: actions.Steward,
    group_id: str,
    verdict: Annotated[Literal["keep", "drop-copy", "separate", "remap", "unite"], Form()],
    member: Annotated[str, Form(max_length=10_000)] = "",
    seen: Annotated[int, Form()] = 0,
    comment: actions.Comment = "",
    letter: Annotated[groups.Class, Form()] = "",
    source: Annotated[str, Form()] = "",
    state: Annotated[groups.State, Form()] = "open",
    band: Annotated[groups.Band, Form()] = "",
) -> Response:
    """Record the verdict and go on to the next open group.

    `keep`, `drop-copy` and, in class h, `unite` are of one `member` (`source|member`), the others of the whole group.
    """
    chosen = groups.Filter(letter, source, "open", band)
    with reader(request).cursor() as cursor:
        found = groups.group_of(cursor, group_id)
        if found is None:
            raise HTTPException(404, GONE)
        if (found["decision_id"] or 0) != seen:
            by = f" by {found['who']}" if found["who"] else ""
            raise HTTPException(409, f"This group was decided{by} while you looked at it. Nothing was recorded.")
        if verdict not in groups.VERDICTS[found["class"]]:
            raise HTTPException(422, "That is no verdict on duplicates of this kind. Nothing was recorded.")
        subject = member if verdict in {"keep", "drop-copy"} or (verdict, found["class"]) == ("unite", "h") else ""
        if subject or verdict in {"keep", "drop-copy"}:
            _among(groups.member_of(cursor, group_id, subject))
        following = groups.neighbour(cursor, chosen, found)
    number = decisions.record(
        project_of(request), "duplicate", group_id, subject, verdict=verdict, who=session.who, comment=comment
    )
    query = {name: value for name, value in (("letter", letter), ("source", source), ("band", band)) if value}
    return RedirectResponse(actions.leading(following or "/duplicates", query | {"told": str(number)}), 303)


@router.get("/refused", response_class=HTMLResponse)
def refused(request: Request, *, session: Steward, page: Page = 1, told: int | None = None) -> Response:
    """New UIDs that can't be given: why, what to do, and the way back."""
    with reader(request).cursor() as cursor:
        found, total = consequences.refused(cursor, number=page)
        counts = rows(cursor, "counts", {})[0]
    shown: dict[str, Any] = {
        "refused": found,
        "total": total,
        "page": page,
        "pages": max(1, -(-total // consequences.PAGE)),
        "told": decision(request, told),
    }
    return show(request, session, "refused.html", counts, shown)


def _among(known: bool) -> None:
    if not known:
        raise HTTPException(422, "Mark the one that is meant first; it must be one of the group.")

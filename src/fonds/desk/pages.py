"""The pages that show: the queue, one pair, proposed changes, decisions."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Query, Request
from fastapi.responses import HTMLResponse, Response
from fastapi.templating import Jinja2Templates

from fonds.desk import proposals, queue
from fonds.desk.auth import Session, local, sessions, steward
from fonds.desk.pair import pair_view
from fonds.desk.reading import Reader, rows
from fonds.operations import audit, decisions
from fonds.operations.models import session as transaction
from fonds.project.settings import Project

VERDICTS = {
    "link": "same person",
    "not_same": "not the same person",
    "approve": "approved",
    "reject": "rejected",
    "keep": "keep this one",
    "drop-copy": "drop this copy",
    "separate": "all stay as they are",
    "remap": "new UIDs",
    "unite": "one examination",
    "choose": "chosen",
    "map": "mapped",
    "none": "none of these",
    "undone": "taken back",
}
LISTED = 200
router = APIRouter()
templates = Jinja2Templates(directory=Path(__file__).parent / "templates")
templates.env.trim_blocks = templates.env.lstrip_blocks = True


def day(text: str | None) -> str:
    """A DICOM date as people write it; anything else as it is."""
    if text and len(text) == 8 and text.isdigit():
        return f"{text[:4]}-{text[4:6]}-{text[6:]}"
    return text or "–"


templates.env.filters.update(day=day, verdict=lambda word: VERDICTS.get(word, word))
Steward = Annotated[Session, Depends(steward)]


def reader(request: Request) -> Reader:
    """The application's reader of the catalog."""
    kept: Reader = request.app.state.reader
    return kept


@router.get("/", response_class=HTMLResponse)
def pairs(
    request: Request,
    *,
    session: Steward,
    source: str = "",
    state: queue.State = "open",
    page: Annotated[int, Query(ge=1, le=100_000)] = 1,
    told: int | None = None,
) -> Response:
    """The queue of pairs, the one whose answer is worth most first."""
    chosen = queue.Filter(source, state)
    with reader(request).cursor() as cursor:
        found, total = queue.page(cursor, chosen, page)
        counts = rows(cursor, "counts", {})[0]
        sources = queue.sources(cursor, list(project_of(request).sources))
        sample = queue.progress(cursor)
    shown = {
        "pairs": found,
        "total": total,
        "filter": chosen,
        "page": page,
        "pages": max(1, -(-total // queue.PAGE)),
        "sources": sources,
        "sample": sample,
        "told": decision(request, told),
    }
    return show(request, session, "queue.html", counts, shown)


@router.get("/pairs/{a}/{b}", response_class=HTMLResponse)
def pair(
    request: Request,
    *,
    session: Steward,
    a: str,
    b: str,
    source: str = "",
    state: queue.State = "open",
    told: int | None = None,
) -> Response:
    """Two records side by side. Looking at them is on record, too."""
    chosen = queue.Filter(source, state)
    with reader(request).cursor() as cursor:
        found = pair_view(cursor, a, b, state)
        if found is None:
            raise HTTPException(404, "The catalog has no such pair any more. The matching has run since.")
        following = queue.neighbour(cursor, chosen, found)
        before = queue.neighbour(cursor, chosen, found, backwards=True)
        counts = rows(cursor, "counts", {})[0]
        sample = queue.progress(cursor)
    with transaction(project_of(request)) as opened:
        audit.append(opened, session.who, "view", f"pair {a} {b}")
    shown = {
        "pair": found,
        "next": following,
        "before": before,
        "filter": chosen,
        "sample": sample,
        "told": decision(request, told),
    }
    return show(request, session, "pair.html", counts, shown)


@router.get("/changes", response_class=HTMLResponse)
def changes(request: Request, session: Steward, told: int | None = None) -> Response:
    """Rules that need a steward, with the values they would change."""
    with reader(request).cursor() as cursor:
        found = proposals.steward_rules(project_of(request), cursor)
        counts = rows(cursor, "counts", {})[0]
    return show(request, session, "changes.html", counts, {"rules": found, "told": decision(request, told)})


@router.get("/decisions", response_class=HTMLResponse)
def decided(request: Request, session: Steward, told: int | None = None) -> Response:
    """What was decided last, by whom, and what was taken back."""
    made = decisions.all_decisions(project_of(request))
    undone = set(made["undoes"].drop_nulls().to_list())
    latest = [{**row, "undone": row["decision_id"] in undone} for row in made.tail(LISTED).reverse().to_dicts()]
    with reader(request).cursor() as cursor:
        counts = rows(cursor, "counts", {})[0]
    shown = {"decisions": latest, "total": made.height, "told": decision(request, told)}
    return show(request, session, "decisions.html", counts, shown)


@router.get("/sign-in", response_class=HTMLResponse)
def sign_in(request: Request, back: str = "/") -> Response:
    """Asks for the name of who decides. The form's token needs a session: one without a name is started."""
    kept = sessions(request)
    carrier = Response()
    session = kept.read(request) or kept.start(carrier, "")
    shown = {"session": None, "back": local(back), "name": session.who, "token": kept.token(session)}
    response = templates.TemplateResponse(request, "sign_in.html", shown)
    response.raw_headers += [(name, value) for name, value in carrier.raw_headers if name == b"set-cookie"]
    return response


def project_of(request: Request) -> Project:
    """The project this desk is open for."""
    opened: Project = request.app.state.project
    return opened


def decision(request: Request, number: int | None) -> dict[str, Any] | None:
    """The decision a page tells about after it was made."""
    if number is None:
        return None
    made = decisions.all_decisions(project_of(request))
    found = [row for row in made.to_dicts() if row["decision_id"] == number]
    undone = number in made["undoes"].drop_nulls().to_list()
    return {**found[0], "undone": undone} if found else None


def show(
    request: Request, session: Session, template: str, counts: dict[str, Any], shown: dict[str, Any]
) -> HTMLResponse:
    """A page with what every page needs: who is here, what waits, the form token."""
    common = {
        "session": session,
        "counts": counts,
        "token": sessions(request).token(session),
        "project": project_of(request).settings.name,
        "here": request.url.path + (f"?{request.url.query}" if request.url.query else ""),
    }
    return templates.TemplateResponse(request, template, common | shown)

"""What people do at the desk: give their name, decide, pass on, take back. Each act is on record with who and when."""

from __future__ import annotations

import json
from typing import Annotated, Literal
from urllib.parse import urlencode, urlsplit

from fastapi import APIRouter, Depends, Form, HTTPException, Request
from fastapi.responses import RedirectResponse, Response

from fonds.desk import proposals, queue
from fonds.desk.auth import COOKIE, NAME_LENGTH, Session, guarded, guarded_steward, local, sessions
from fonds.desk.pages import project_of, reader
from fonds.desk.reading import rows
from fonds.operations import audit, decisions
from fonds.operations.models import session as transaction

COMMENT_LENGTH = 2000
router = APIRouter()
Steward = Annotated[Session, Depends(guarded_steward)]
Comment = Annotated[str, Form(max_length=COMMENT_LENGTH)]
Back = Annotated[str, Form()]


@router.post("/sign-in")
def sign_in(
    request: Request,
    *,
    _session: Annotated[Session, Depends(guarded)],
    name: Annotated[str, Form(max_length=NAME_LENGTH)] = "",
    back: Back = "/",
) -> Response:
    """Keep the name for a working day in a signed cookie, in a new session."""
    who = " ".join(name.split())
    if not who or not who.isprintable():
        raise HTTPException(422, "Give your name: it stands beside every decision you make.")
    response = RedirectResponse(local(back), 303)
    sessions(request).start(response, who)
    with transaction(project_of(request)) as opened:
        audit.append(opened, who, "sign-in", "desk")
    return response


@router.post("/sign-out")
def sign_out(request: Request, session: Steward) -> Response:
    """Forget the name."""
    with transaction(project_of(request)) as opened:
        audit.append(opened, session.who, "sign-out", "desk")
    response = RedirectResponse("/sign-in", 303)
    response.delete_cookie(COOKIE, path="/")
    return response


@router.post("/pairs/{a}/{b}")
def decide_pair(
    request: Request,
    *,
    session: Steward,
    a: str,
    b: str,
    verdict: Annotated[Literal["link", "not_same", "cannot_tell"], Form()],
    seen: Annotated[int, Form()] = 0,
    comment: Comment = "",
    source: Annotated[str, Form()] = "",
    state: Annotated[queue.State, Form()] = "open",
) -> Response:
    """Record the verdict and go on to the next open pair, or to the next of the sample.

    "Can't tell" decides nothing but is on record as well.
    """
    project, chosen = project_of(request), queue.Filter(source, "sample" if state == "sample" else "open")
    with reader(request).cursor() as cursor:
        found = rows(cursor, "pair", {"a": a, "b": b, "state": chosen.state})
        if not found:
            raise HTTPException(404, "The catalog has no such pair any more. The matching has run since.")
        if (found[0]["decision_id"] or 0) != seen:
            by = f" by {found[0]['who']}" if found[0]["who"] else ""
            raise HTTPException(409, f"This pair was decided{by} while you looked at it. Nothing was recorded.")
        following = queue.neighbour(cursor, chosen, found[0])
    query = {"source": source} if source else {}
    if chosen.state == "sample":
        query["state"] = "sample"
    if verdict == "cannot_tell":
        with transaction(project) as opened:
            audit.append(opened, session.who, "cannot-tell", f"pair {a} {b}", comment)
    else:
        number = decisions.record(project, "pair", a, b, verdict=verdict, who=session.who, comment=comment)
        query["told"] = str(number)
    return RedirectResponse(leading(following or "/", query), 303)


@router.post("/changes")
def decide_change(
    request: Request,
    *,
    session: Steward,
    subject: Annotated[str, Form(max_length=200)],
    verdict: Annotated[Literal["approve", "reject"], Form()],
    comment: Comment = "",
) -> Response:
    """Approve or reject one change (its id) or a whole rule (its name)."""
    number = decisions.record(
        project_of(request), "change", subject, "", verdict=verdict, who=session.who, comment=comment
    )
    return RedirectResponse(leading("/changes", {"told": str(number)}), 303)


@router.post("/choices")
def choose(
    request: Request,
    *,
    session: Steward,
    change: Annotated[str, Form(max_length=40)],
    choice: Annotated[str, Form(max_length=1024)],
    comment: Comment = "",
) -> Response:
    """Record which candidate a value means; `=VALUE`, or `none` of them. A spelling is decided for all studies."""
    project = project_of(request)
    with reader(request).cursor() as cursor:
        found = proposals.questions_of(cursor, change=change)
    if not found:
        raise HTTPException(404, "There is no such question any more. The rules have run since.")
    question = found[0]
    chosen = next((one for one in question["candidates"] if choice == f"={one['value']}"), None)
    if chosen is None and choice != "none":
        raise HTTPException(409, "That is none of the candidates any more. Nothing was recorded.")
    if question["kind"] == "mapping":
        first = question["candidates"][0]
        subject = {"spelling": first["spelling"], "modalities": first["modalities"]}
        kind, a, b = "mapping", first["rule"], json.dumps(subject | {"value": chosen["code"] if chosen else None})
        verdict = "map" if chosen else "none"
    else:
        kind, a, b = "change", change, chosen["value"] if chosen else ""
        verdict = "choose" if chosen else "reject"
    number = decisions.record(project, kind, a, b, verdict=verdict, who=session.who, comment=comment)
    return RedirectResponse(leading("/changes", {"told": str(number)}), 303)


@router.post("/decisions/{number}/undo")
def undo(request: Request, session: Steward, number: int, back: Back = "/decisions") -> Response:
    """Take a decision back; the taking back is a decision on record itself."""
    made = decisions.undo(project_of(request), number, session.who)
    return RedirectResponse(leading(local(back), {"told": str(made)}), 303)


def leading(path: str, query: dict[str, str]) -> str:
    """The path with these parameters in place of its own `told`."""
    bare = urlsplit(path)
    kept = [part for part in bare.query.split("&") if part and not part.startswith("told=")]
    joined = "&".join([*kept, urlencode(query)] if query else kept)
    return bare.path + (f"?{joined}" if joined else "")

"""Who decides, and that it is really their page that asks: a signed cookie, and a token in every form."""

from __future__ import annotations

import hmac
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated
from urllib.parse import quote, urlsplit

from fastapi import Form, HTTPException, Request
from fastapi.responses import Response
from itsdangerous import BadSignature, URLSafeSerializer, URLSafeTimedSerializer

from fonds.project.settings import Project

COOKIE = "fonds_desk"
LASTS = 12 * 3600  # seconds: a working day
NAME_LENGTH = 80


@dataclass(frozen=True, slots=True)
class Session:
    """One browser's visit: a random number, and the steward's name once given."""

    number: str
    who: str


class Sessions:
    """Makes and reads the signed cookie and the form token. The key stays in the project, readable by its owner."""

    def __init__(self, project: Project) -> None:
        key = _key(project.catalog_dir / "desk.key")
        self._cookie = URLSafeTimedSerializer(key, salt="session")
        self._token = URLSafeSerializer(key, salt="form")

    def read(self, request: Request) -> Session | None:
        """The session of a request; None when there is none, it is too old, or someone else signed it."""
        try:
            number, who = self._cookie.loads(request.cookies.get(COOKIE, ""), max_age=LASTS)
        except BadSignature:
            return None
        return Session(number, who)

    def start(self, response: Response, who: str) -> Session:
        """A new session with a new number: one from before signing in is worth nothing afterwards."""
        session = Session(secrets.token_urlsafe(16), who)
        value = self._cookie.dumps([session.number, session.who])
        response.set_cookie(COOKIE, value, max_age=LASTS, httponly=True, samesite="strict", path="/")
        return session

    def token(self, session: Session) -> str:
        """What every form of this session carries."""
        return str(self._token.dumps(session.number))

    def matches(self, session: Session, token: str) -> bool:
        """Whether a form's token belongs to the session."""
        return hmac.compare_digest(self.token(session).encode(), token.encode())


def sessions(request: Request) -> Sessions:
    """The application's sessions."""
    kept: Sessions = request.app.state.sessions
    return kept


def steward(request: Request) -> Session:
    """The session of someone who gave their name; sends everyone else to the page that asks for it."""
    session = sessions(request).read(request)
    if session is None or not session.who:
        wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        back = f"?back={quote(wanted)}" if request.method == "GET" else ""
        raise HTTPException(303, headers={"Location": f"/sign-in{back}"})
    return session


def guarded(request: Request, token: Annotated[str, Form()] = "") -> Session:
    """The session of a POST whose form token belongs to it; anything else is refused with 403."""
    session = sessions(request).read(request)
    if session is None or not sessions(request).matches(session, token):
        raise HTTPException(403, "This form is out of date or was not made by the desk. Open the page again.")
    return session


def guarded_steward(request: Request, token: Annotated[str, Form()] = "") -> Session:
    """As `guarded`, and the name must be known: what is decided is decided by someone."""
    session = guarded(request, token)
    if not session.who:
        raise HTTPException(403, "Give your name first; a decision needs the name of who decides.")
    return session


def local(path: str) -> str:
    """A path of this desk to go back to; anything that leads elsewhere becomes the start page."""
    parts = urlsplit(path)
    safe = path.startswith("/") and not path.startswith("//") and "\\" not in path and not parts.netloc
    return path if safe and path.isprintable() else "/"


def _key(path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text(encoding="ascii")
    with os.fdopen(handle, "w", encoding="ascii") as opened:
        key = secrets.token_urlsafe(32)
        opened.write(key)
    return key

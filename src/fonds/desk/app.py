"""The desk's application: its safety headers, its pages, and how it is served on this machine only."""

from __future__ import annotations

import socket
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException
from starlette.middleware.trustedhost import TrustedHostMiddleware

from fonds.desk import actions, duplicates, pages
from fonds.desk.auth import Sessions
from fonds.desk.reading import Reader
from fonds.errors import DecisionRefused
from fonds.project.settings import Project

HERE = Path(__file__).parent
HOSTS = ["127.0.0.1", "localhost"]  # a page elsewhere whose name is made to point here is refused
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-store",  # patient data stays out of the browser's cache
}


def create_app(project: Project) -> FastAPI:
    """The application over one project; it asks nothing of any other machine."""
    app = FastAPI(title="Fonds desk", docs_url=None, redoc_url=None, openapi_url=None)
    app.state.project = project
    app.state.sessions = Sessions(project)
    app.state.reader = Reader(project)
    app.include_router(pages.router)
    app.include_router(duplicates.router)
    app.include_router(actions.router)
    app.mount("/static", StaticFiles(directory=HERE / "static"), name="static")
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=HOSTS)

    @app.middleware("http")
    async def safe(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        response = await call_next(request)
        response.headers.update(HEADERS)
        return response

    @app.exception_handler(HTTPException)
    async def refused(request: Request, error: HTTPException) -> Response:
        headers = dict(error.headers or {})
        if error.status_code == 303:
            return RedirectResponse(headers["Location"], 303)
        return _message(request, error.status_code, str(error.detail))

    @app.exception_handler(DecisionRefused)
    async def not_decided(request: Request, error: DecisionRefused) -> Response:
        return _message(request, 409, f"Nothing was recorded: {error.message}.")

    return app


def serve(project: Project, port: int = 8484) -> None:
    """Serve the desk on 127.0.0.1 until interrupted; port 0 takes a free one. Tells the address on stderr."""
    with socket.create_server(("127.0.0.1", port)) as listener:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        sys.stderr.write(f"The desk is open at {address} for this machine only. Ctrl-C ends it.\n")
        # no access log: addresses of pages name patient records
        server = uvicorn.Server(uvicorn.Config(create_app(project), log_level="warning", access_log=False))
        server.run(sockets=[listener])


def _message(request: Request, status: int, text: str) -> HTMLResponse:
    return pages.templates.TemplateResponse(
        request, "message.html", {"text": text, "status": status, "session": None}, status_code=status
    )

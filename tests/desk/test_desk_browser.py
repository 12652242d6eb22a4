"""A steward in a real browser: the queue by keyboard, a decision, taking it back, a name that is a script."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator

import pytest
import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fonds.desk.app import create_app
from fonds.operations import decisions
from fonds.project.settings import Project
from tests.parts import require
from tests.report.handmade import record_of
from tests.report.matched import EVE, LINK, with_feed

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


class Dripping:
    """The desk behind a slow line: the last quarter of a pair's page comes two seconds late."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def drip(message: Message) -> None:
            body = message.get("body", b"")
            if scope["path"].startswith("/pairs/") and body:
                cut = len(body) * 3 // 4
                await send({**message, "body": body[:cut], "more_body": True})
                await asyncio.sleep(2)
                message = {**message, "body": body[cut:]}
            await send(message)

        await self.app(scope, receive, drip)


@pytest.fixture
def address(project: Project, request: pytest.FixtureRequest) -> Iterator[str]:
    """The desk on a free port of this machine."""
    line: Callable[[ASGIApp], ASGIApp] = getattr(request, "param", lambda app: app)
    server = uvicorn.Server(uvicorn.Config(line(create_app(project)), host="127.0.0.1", port=0, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        assert thread.is_alive()
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join()


def test_a_steward_works_by_keyboard(address: str, project: Project) -> None:
    chromium = require("chromium", "chromium")
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=30_000)  # the machine may be busy with other tests
    with sync_playwright() as player:
        browser = player.chromium.launch(executable_path=chromium, args=FLAGS)
        page = browser.new_context(viewport={"width": 1280, "height": 860}).new_page()
        told: list[str] = []
        asked: list[str] = []
        page.on("console", lambda message: told.append(message.text))
        page.on("dialog", lambda dialog: told.append(f"dialog {dialog.message}"))
        page.on("request", lambda request: asked.append(request.url))

        def press(key: str) -> None:
            # Chromium itself drops what is typed before a page's first frame is on the screen
            while not page.evaluate("performance.getEntriesByName('first-contentful-paint').length"):
                page.wait_for_timeout(20)
            page.keyboard.press(key)

        page.goto(address)
        page.get_by_label("Your name").fill("Ann Steward")
        press("Enter")
        expect(page.get_by_role("heading", name="Who is who")).to_be_visible()
        expect(page.locator(".queue li")).to_have_count(3)

        press("?")
        expect(page.get_by_role("dialog")).to_be_visible()
        press("Escape")
        press("j")
        press("j")
        press("Enter")
        expect(page.get_by_text("<script>alert(1)</script>^Eve").first).to_be_visible()
        press("c")
        page.keyboard.type("nl: letters are text here, not keys")
        press("Escape")
        press("l")
        expect(page.get_by_role("status")).to_contain_text("Recorded as decision 1: same person")
        made = decisions.standing(project, "pair").row(0, named=True)
        assert (made["verdict"], made["who"]) == ("link", "Ann Steward")
        assert made["comment"] == "nl: letters are text here, not keys"

        press("u")
        expect(page.get_by_role("status")).to_contain_text("Decision 1 was taken back")
        assert decisions.standing(project, "pair").is_empty()
        press("j")
        expect(page.get_by_text("Mueller^Anna").first).to_be_visible()
        press("k")
        expect(page.get_by_text("<script>alert(1)</script>^Eve").first).to_be_visible()
        press("n")
        expect(page.get_by_role("status")).to_contain_text("not the same person")
        assert decisions.standing(project, "pair")["verdict"].to_list() == ["not_same"]
        press("q")
        expect(page.locator(".queue li")).to_have_count(2)

        page.goto(f"{address}/duplicates")
        press("Enter")
        expect(page.get_by_role("heading", name="Same UID, other pixels")).to_be_visible()
        press("m")
        assert page.url.startswith(f"{address}/duplicates/G2"), "to keep one it must be marked first"
        press("2")
        second = page.locator("[name=member]").nth(1)
        expect(second).to_be_checked()
        meant = second.get_attribute("value")
        press("m")
        expect(page.get_by_role("status")).to_contain_text("keep this one")
        assert decisions.standing(project, "duplicate").row(0, named=True)["subject_b"] == meant
        press("u")
        expect(page.get_by_role("heading", name="Same UID, other pixels")).to_be_visible()
        assert decisions.standing(project, "duplicate").is_empty()

        assert told == [], "nothing ran that was not ours, and the policy had nothing to stop"
        assert all(url.startswith(address) for url in asked), "no request leaves this machine"
        browser.close()


@pytest.mark.parametrize("address", [Dripping], indirect=True)
def test_a_key_pressed_while_the_page_still_arrives_is_not_lost(address: str) -> None:
    chromium = require("chromium", "chromium")
    from playwright.sync_api import expect, sync_playwright

    with sync_playwright() as player:
        browser = player.chromium.launch(executable_path=chromium, args=FLAGS)
        page = browser.new_page()
        page.goto(address)
        page.get_by_label("Your name").fill("Ann")
        page.keyboard.press("Enter")
        second = page.locator(".queue a").nth(1).get_attribute("href")
        first = page.locator(".queue a").nth(0).get_attribute("href")
        page.goto(f"{address}{second}", wait_until="commit")
        expect(page.get_by_role("heading", name="One person or two?")).to_be_visible()
        while not page.evaluate("performance.getEntriesByName('first-contentful-paint').length"):
            page.wait_for_timeout(20)
        assert page.evaluate("document.readyState") == "loading"
        page.keyboard.press("k")
        page.wait_for_url(f"{address}{first}", wait_until="commit")
        browser.close()


def test_narrow_screens_need_no_sideways_scrolling(address: str, project: Project) -> None:
    chromium = require("chromium", "chromium")
    with_feed(project)
    evil, torn = sorted((EVE, record_of(2, "cardiology"))), sorted(LINK)
    from playwright.sync_api import expect, sync_playwright

    with sync_playwright() as player:
        browser = player.chromium.launch(executable_path=chromium, args=FLAGS)
        page = browser.new_context(viewport={"width": 360, "height": 700}, color_scheme="dark").new_page()
        told: list[str] = []
        page.on("console", lambda message: told.append(message.text))
        page.on("dialog", lambda dialog: told.append(f"dialog {dialog.message}"))
        page.goto(address)
        page.get_by_label("Your name").fill("Ann")
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name="Who is who")).to_be_visible()
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(18, 24, 30)"
        pair = page.locator(".queue a").first.get_attribute("href")
        twice = ("/duplicates", "/duplicates/G2", "/refused")
        with_index = [f"/pairs/{'/'.join(records)}" for records in (evil, torn)]
        for path in ("/", "/?state=sample", pair, *with_index, "/changes", *twice, "/decisions"):
            page.goto(f"{address}{path}")
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
        assert told == [], "what a feed tells runs nowhere"
        browser.close()

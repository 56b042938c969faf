"""A headless Chromium, and the application served by uvicorn to it on a free loopback port.

Every page of every test is watched: a message on its console, an error in it, a request to another origin or an answer
of the server's own failing (5xx) fails the test that did it.
"""

from __future__ import annotations

import shutil
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Response, sync_playwright

from tests.web_plant import PASSWORD, Plant, make_plant

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """The system's Chromium."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        raise RuntimeError("these tests need Chromium: run `./run test` as root, or type: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, headless=True, args=ARGUMENTS)
        yield browser
        browser.close()


@dataclass
class Site:
    """A plant that is served, and browsers that visit it."""

    plant: Plant
    address: str
    chromium: Browser
    contexts: list[BrowserContext] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def visitor(self, width: int = 1280, height: int = 900, **options: Any) -> Page:
        """A new browser profile with one empty page."""
        context = self.chromium.new_context(
            base_url=self.address, viewport={"width": width, "height": height}, service_workers="block", **options
        )
        context.set_default_timeout(15_000)
        self.contexts.append(context)
        page = context.new_page()
        page.on("console", self._watch_console)
        page.on("pageerror", lambda error: self.faults.append(f"page error: {error}"))
        page.on("request", lambda request: self._watch_request(request.url))
        page.on("response", self._watch_response)
        return page

    def operator(self, **options: Any) -> Page:
        """A visitor who has logged in as the operator."""
        page = self.visitor(**options)
        page.goto("/login")
        log_in(page)
        return page

    def _watch_console(self, message: ConsoleMessage) -> None:
        # Chromium notes every page that is refused (a form that comes back is a 422, a page that is not there a 404).
        # A part of a page that cannot be loaded is a fault.
        is_refusal = message.text.startswith("Failed to load resource: the server responded with a status of 4")
        if not is_refusal or "/static/" in message.location["url"]:
            self.faults.append(f"console: {message.text} {message.location['url']}")

    def _watch_request(self, url: str) -> None:
        if not url.startswith((self.address, "data:", "blob:")):
            self.faults.append(f"request to another origin: {url}")

    def _watch_response(self, response: Response) -> None:
        if response.status >= 500:
            self.faults.append(f"{response.status} for {response.url}")


def log_in(page: Page) -> None:
    """Fill in the login form that the page shows."""
    page.fill("#username", "operator")
    page.fill("#password", PASSWORD)
    page.click("main button")
    page.wait_for_url(lambda url: "/login" not in url)


@pytest.fixture
def site(_sqlite_template: Path, tmp_path: Path, chromium: Browser) -> Iterator[Site]:
    """The application on a SQLite database of its own."""
    path = tmp_path / "ledger.db"
    shutil.copyfile(_sqlite_template, path)
    plant = make_plant(f"sqlite:///{path}", tmp_path)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(plant.app, log_level="warning", lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        site = Site(plant, f"http://127.0.0.1:{listener.getsockname()[1]}", chromium)
        try:
            yield site
        finally:
            for context in site.contexts:
                context.close()
            server.should_exit = True
            thread.join(timeout=20)
            plant.ledger.engine.dispose()
    assert not thread.is_alive(), "the server did not stop"
    assert site.faults == []

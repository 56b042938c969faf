"""The web application: JSON under /api/v1, pages, health.

`create_app` is given everything it works with and opens nothing; `api.server` puts an installation's parts together.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path

from fastapi import FastAPI
from starlette.staticfiles import StaticFiles

from api.auth import LoginRequiredError, to_login_page
from api.errors import install_error_handlers
from api.headers import HeadersMiddleware
from api.openapi import install_description
from api.publishing import Reporter, running_publisher
from api.queueing import QueueReporter
from api.routes import batches, certificates, entries, health, submissions, tiles
from api.services import Render, Services
from api.settings import Settings
from api.throttle import Throttle
from api.web import batch_pages, entry_pages, pages
from certificates.verify import Trust
from ledger.service.appender import Appender
from ledger.service.context import Actor, Ledger

LOGINS_PER_NAME = 5
LOGINS_PER_ADDRESS = 30
LOGIN_WINDOW = timedelta(minutes=5)
LOGINS_AT_ONCE = 4
"""Checking a password takes 64 MiB, by design of argon2."""

VERIFICATIONS_PER_ADDRESS = 20
VERIFICATION_WINDOW = timedelta(minutes=1)
VERIFICATIONS_AT_ONCE = 2


def create_app(
    settings: Settings,
    *,
    ledger: Ledger,
    actor: Actor,
    trust: Trust,
    now: Callable[[], datetime],
    render: Render | None = None,
) -> FastAPI:
    """The application for one ledger; while it runs, threads of its own append for all requests, and publish, if the
    settings say so.

    actor: signs what is logged through it. trust: roots and log keys against which certificates are verified. now:
    aware. render: draws a certificate's page anew; without it that check reads "not checked".
    """

    appends = Appender(ledger, settings.append_path, settings.append_wait_seconds, QueueReporter())
    publishing = Reporter()

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        appends.start()
        try:
            with running_publisher(settings, ledger, publishing):
                yield
        finally:
            appends.stop()

    # The usual documentation pages load their scripts from another origin, so they are off.
    app = FastAPI(
        title="Magnet Ledger",
        version="1",
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/v1/openapi.json",
        redirect_slashes=False,
        lifespan=lifespan,
    )
    app.state.services = Services(
        settings=settings,
        ledger=ledger,
        appends=appends,
        publishing=publishing,
        actor=actor,
        trust=trust,
        now=now,
        render=render,
        logins_of_name=Throttle(LOGINS_PER_NAME, LOGIN_WINDOW, now),
        logins_of_address=Throttle(LOGINS_PER_ADDRESS, LOGIN_WINDOW, now),
        verifications=Throttle(VERIFICATIONS_PER_ADDRESS, VERIFICATION_WINDOW, now),
        verifying=asyncio.Semaphore(VERIFICATIONS_AT_ONCE),
        logging_in=asyncio.Semaphore(LOGINS_AT_ONCE),
    )
    install_error_handlers(app)
    app.add_exception_handler(LoginRequiredError, to_login_page)
    app.add_middleware(HeadersMiddleware, new_id=ledger.new_id)
    for routes in (health, batches, entries, submissions, certificates, tiles):
        app.include_router(routes.router)
    for web in (pages, batch_pages, entry_pages):
        app.include_router(web.router, include_in_schema=False)
    app.mount("/static", StaticFiles(directory=Path(__file__).parent / "web" / "static"), name="static")
    install_description(app)
    return app

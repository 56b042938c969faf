"""Who is asking: the session cookie of a browser or the API key of a program, and what they may do.

A session's cookie is HttpOnly and SameSite=Lax, and Secure wherever the pages are served over https. Every form of a
session carries its CSRF token. A request of the JSON interface that comes with the cookie and changes something
carries the token in the X-CSRF-Token header; one with an API key needs none, for no browser sends a key by itself.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import quote, urlsplit

from fastapi import Depends, Request, Response
from fastapi.responses import RedirectResponse

from api.bodies import form_body
from api.errors import RefusedError
from api.services import Services, ServicesNow, address_of, services_of
from ledger.service import accounts
from ledger.service.accounts import Account, Login, Scope

CSRF_FIELD = "csrf_token"
CSRF_HEADER = "X-CSRF-Token"

FIRST_PAGE = "/batches"
"""Where a login leads when no page was asked for."""


class LoginRequiredError(Exception):
    """A page that needs a login was asked for without one. next_path: where the visitor wanted to go."""

    def __init__(self, next_path: str) -> None:
        super().__init__(next_path)
        self.next_path = next_path


async def to_login_page(request: Request, error: Exception) -> Response:
    """Exception handler: send the visitor to the login page, and back afterwards."""
    assert isinstance(error, LoginRequiredError)
    return RedirectResponse(f"/login?next={quote(error.next_path, safe='/')}", status_code=303)


# --- pages ------------------------------------------------------------------------------------------------------------


def login_if_any(request: Request, services: ServicesNow) -> Login | None:
    """The visitor's open session, if there is one; also what every template sees as `login`."""
    token = session_token(request, services)
    login = accounts.login_of(services.ledger, token) if token else None
    request.state.login = login
    return login


VisitorLogin = Annotated[Login | None, Depends(login_if_any)]


def page_login(request: Request, login: VisitorLogin) -> Login:
    """The session of a page that shows private data. Raises: LoginRequiredError."""
    if login is None:
        wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        raise LoginRequiredError(wanted if request.method == "GET" else request.url.path)
    return login


PageLogin = Annotated[Login, Depends(page_login)]


def page_writer(login: PageLogin, services: ServicesNow) -> Login:
    """The session of a page that logs something. Raises: RefusedError 403 if the account may not."""
    _require(login.account, login.account.scopes, "write", services)
    return login


PageWriter = Annotated[Login, Depends(page_writer)]


def check_form_token(expected: str, form: dict[str, str]) -> None:
    """Refuse a form whose CSRF token is not `expected`: it did not come from one of our pages in this session."""
    if not _same(form.get(CSRF_FIELD, ""), expected):
        raise RefusedError(
            403,
            "form-expired",
            "The form does not belong to your present session, so nothing was logged. "
            "Go back, reload the page and send it again.",
        )


async def writer_form(login: PageWriter, request: Request) -> dict[str, str]:
    """The fields of a form that logs something, its CSRF token checked."""
    form = await form_body(request)
    check_form_token(login.csrf_token, form)
    return form


async def session_form(login: PageLogin, request: Request) -> dict[str, str]:
    """The fields of any other form of a session, its CSRF token checked."""
    form = await form_body(request)
    check_form_token(login.csrf_token, form)
    return form


WriterForm = Annotated[dict[str, str], Depends(writer_form)]
SessionForm = Annotated[dict[str, str], Depends(session_form)]


# --- cookies ----------------------------------------------------------------------------------------------------------


def _is_https(request: Request, services: Services) -> bool:
    return services.settings.secure_cookies or request.url.scheme == "https"


def _cookie_name(request: Request, services: Services, name: str) -> str:
    # A browser takes a __Host- cookie from this very host over https only, so no neighbour can plant one.
    return f"__Host-{name}" if _is_https(request, services) else name


def session_token(request: Request, services: Services) -> str | None:
    """The token that the browser's session cookie holds."""
    return request.cookies.get(_cookie_name(request, services, "magnet_ledger_session"))


def set_session_cookie(response: Response, request: Request, token: str) -> None:
    """Give the browser its session. Its age is counted by the browser, whose clock may be wrong; the end is ours."""
    services = services_of(request)
    response.set_cookie(
        _cookie_name(request, services, "magnet_ledger_session"),
        token,
        max_age=int(services.session_lasts.total_seconds()),
        path="/",
        httponly=True,
        samesite="lax",
        secure=_is_https(request, services),
    )


def drop_session_cookie(response: Response, request: Request) -> None:
    """Take the session from the browser."""
    services = services_of(request)
    response.delete_cookie(
        _cookie_name(request, services, "magnet_ledger_session"),
        path="/",
        httponly=True,
        samesite="lax",
        secure=_is_https(request, services),
    )


def login_form_token(request: Request) -> str:
    """The CSRF token of the login form, which has no session yet: the one in the browser's cookie, or a new one."""
    services = services_of(request)
    held = request.cookies.get(_cookie_name(request, services, "magnet_ledger_form"))
    return held if held and len(held) == 43 else accounts.new_token(services.ledger)


def set_login_form_cookie(response: Response, request: Request, token: str) -> None:
    """Let the browser hold the token that the login form repeats."""
    services = services_of(request)
    response.set_cookie(
        _cookie_name(request, services, "magnet_ledger_form"),
        token,
        path="/",
        httponly=True,
        samesite="strict",
        secure=_is_https(request, services),
    )


# --- log in -----------------------------------------------------------------------------------------------------------


def log_in(request: Request, username: str, password: str, form: dict[str, str]) -> tuple[str, Login] | None:
    """A new session; None if name and password do not match.

    Raises: RefusedError 403 for a form that is not ours, 429 after too many tries for this name or from this address.
    """
    services = services_of(request)
    held = request.cookies.get(_cookie_name(request, services, "magnet_ledger_form"), "")
    if not held:
        raise RefusedError(
            403, "form-expired", "Your browser sent no cookie with the form. Allow cookies for this site and try again."
        )
    check_form_token(held, form)
    address = address_of(request)
    by_name = f"{address} {username[:64]}"
    wait_seconds = services.logins_of_name.take(by_name) or services.logins_of_address.take(address)
    if wait_seconds:
        raise too_many(wait_seconds, "Too many failed logins")
    session = accounts.log_in(services.ledger, username, password, services.session_lasts)
    if session is not None:
        services.logins_of_name.forget(by_name)
        before = session_token(request, services)
        if before:
            accounts.log_out(services.ledger, before)
    return session


def too_many(wait_seconds: int, what: str) -> RefusedError:
    """The refusal after too many requests."""
    return RefusedError(
        429,
        "too-many-requests",
        f"{what}. Wait {wait_seconds} seconds and try again.",
        headers={"Retry-After": str(wait_seconds)},
    )


def own_path(text: str) -> str:
    """`text` if it is a path on this site that a login may lead to, else FIRST_PAGE: no login leads off the site."""
    try:
        parts = urlsplit(text)
    except ValueError:
        return FIRST_PAGE
    safe = text.startswith("/") and not text.startswith("//") and not parts.scheme and not parts.netloc
    return text if safe and "\\" not in text and text.isprintable() else FIRST_PAGE


# --- the JSON interface -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Caller:
    """Who calls the JSON interface, and what for."""

    account: Account
    scopes: frozenset[Scope]


def caller(request: Request, services: ServicesNow, login: VisitorLogin) -> Caller:
    """The holder of the API key, or of the session. Raises: RefusedError 401, 403."""
    header = request.headers.get("authorization")
    if header is not None:
        kind, _, text = header.partition(" ")
        found = accounts.holder_of_key(services.ledger, text.strip()) if kind.lower() == "bearer" else None
        if found is None:
            raise _not_logged_in(
                "The API key is unknown, expired or not in the form 'Bearer mlk_...'.", "invalid_token"
            )
        return Caller(*found)
    if login is None:
        raise _not_logged_in("Send an API key as 'Authorization: Bearer mlk_...', or log in.", None)
    if request.method not in ("GET", "HEAD") and not _same(request.headers.get(CSRF_HEADER, ""), login.csrf_token):
        item = {
            "header": CSRF_HEADER,
            "value": "not the session's token",
            "expected": "the token of the session",
            "next_step": "Reload the page; a program uses an API key instead.",
        }
        raise RefusedError(403, "form-expired", f"A session's request needs its {CSRF_HEADER}.", [item])
    return Caller(login.account, login.account.scopes)


AnyCaller = Annotated[Caller, Depends(caller)]


def reader(caller: AnyCaller, services: ServicesNow) -> Caller:
    """A caller who may read private data."""
    _require(caller.account, caller.scopes, "read", services)
    return caller


def writer(caller: AnyCaller, services: ServicesNow) -> Caller:
    """A caller who may log."""
    _require(caller.account, caller.scopes, "write", services)
    return caller


Reader = Annotated[Caller, Depends(reader)]
Writer = Annotated[Caller, Depends(writer)]


def _require(account: Account, scopes: frozenset[Scope], scope: Scope, services: Services) -> None:
    if scope not in scopes:
        raise RefusedError(
            403, "not-allowed", f"{account.username} may not {scope} here: that needs the scope {scope!r}."
        )
    if scope == "write" and account.actor != services.actor.actor:
        raise RefusedError(
            403,
            "not-allowed",
            f"{account.username} logs for {account.actor}, "
            f"but this server holds the signing key of {services.actor.actor}.",
        )


def _not_logged_in(detail: str, error: str | None) -> RefusedError:
    challenge = 'Bearer realm="magnet-ledger"' + (f', error="{error}"' if error else "")
    return RefusedError(401, "not-logged-in", detail, headers={"WWW-Authenticate": challenge})


def _same(given: str, expected: str) -> bool:
    # compare_digest takes text only if it is ASCII.
    return bool(expected) and hmac.compare_digest(given.encode("utf-8"), expected.encode("utf-8"))

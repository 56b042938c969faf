"""The start page, logging in and out, and verifying a certificate."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import RedirectResponse
from starlette.concurrency import run_in_threadpool

from api import auth
from api.auth import SessionForm, VisitorLogin, own_path
from api.bodies import form_body
from api.errors import TITLES, RefusedError, problem_response
from api.services import ServicesNow
from api.verification import verify_upload
from api.web.templating import render_page
from api.web.verdicts import check_rows, count_words, facts, provisional_because, verdict_of
from ledger.service import accounts

router = APIRouter(dependencies=[Depends(auth.login_if_any)])


@router.get("/")
def home(request: Request) -> Response:
    """What this site is for: verify a certificate, or log in."""
    return render_page(request, "home.html")


@router.get("/problems")
def problems(request: Request) -> Response:
    """What the types of problem details mean."""
    return render_page(request, "problems.html", titles=TITLES)


# --- log in and out ---------------------------------------------------------------------------------------------------


@router.get("/login")
def login_page(
    request: Request, login: VisitorLogin, next_path: Annotated[str, Query(alias="next")] = auth.FIRST_PAGE
) -> Response:
    """The login form; who is logged in already goes on."""
    if login is not None:
        return RedirectResponse(own_path(next_path), status_code=303)
    return _login_form(request, own_path(next_path))


@router.post("/login")
async def log_in(request: Request, services: ServicesNow) -> Response:
    """Open a session, or show the form again with the reason."""
    form = await form_body(request)
    username, next_path = form.get("username", "").strip(), own_path(form.get("next", ""))
    try:
        async with services.logging_in:
            session = await run_in_threadpool(auth.log_in, request, username, form.get("password", ""), form)
    except RefusedError as problem:
        return _login_form(request, next_path, username, problem.detail, problem.status, dict(problem.headers))
    if session is None:
        # One answer for an unknown name and a wrong password.
        return _login_form(request, next_path, username, "User name and password do not match.", 401)
    token, _ = session
    response = RedirectResponse(next_path, status_code=303)
    auth.set_session_cookie(response, request, token)
    return response


@router.post("/logout")
def log_out(request: Request, form: SessionForm, services: ServicesNow) -> Response:
    """End the session."""
    token = auth.session_token(request, services)
    if token:
        accounts.log_out(services.ledger, token)
    response = RedirectResponse("/", status_code=303)
    auth.drop_session_cookie(response, request)
    return response


def _login_form(
    request: Request,
    next_path: str,
    username: str = "",
    message: str = "",
    status: int = 200,
    headers: dict[str, str] | None = None,
) -> Response:
    token = auth.login_form_token(request)
    response = render_page(
        request,
        "login.html",
        status=status,
        headers=headers,
        form_token=token,
        next_path=next_path,
        username=username,
        message=message,
    )
    auth.set_login_form_cookie(response, request, token)
    return response


# --- verify a certificate ---------------------------------------------------------------------------------------------


@router.get("/verify")
def verify_page(request: Request) -> Response:
    """Where a certificate is dropped."""
    return render_page(request, "verify.html")


@router.post("/verify")
async def verify(request: Request, services: ServicesNow) -> Response:
    """The verdict on the dropped file. Open to all and changing nothing, so the form carries no token."""
    try:
        report = await verify_upload(request, services)
    except RefusedError as problem:
        return problem_response(request, problem.status, problem.slug, problem.detail, (), problem.headers)
    verification = report.verification
    verdict = verdict_of(verification)
    return render_page(
        request,
        "verdict.html",
        verdict=verdict,
        counts=count_words(verification.checks),
        checks=check_rows(verification.checks),
        facts=facts(verification.content),
        provisional=provisional_because(verification.content),
        facts_title="What it certifies" if verdict.facts_hold else "What the file claims",
        report=report,
    )

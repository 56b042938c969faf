"""What a refusal looks like on the wire: problem details (RFC 9457) for programs, a page for people.

One table says which HTTP status a kind of error has. The domain knows nothing of it. Every refusal of the application
goes through here, FastAPI's own 404, 405 and 422 included, so that a program meets one shape only:

    {"type": "/problems#overdrawn", "title", "status", "detail", "instance", "request_id",
     "errors": [{"pointer": "/inputs/0/mass_kg", "value", "expected", "next_step"}]}

`pointer` is a JSON pointer into the body; what stands elsewhere is named by `parameter` (query), `header` or `path`.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from api.headers import add_headers
from api.web.templating import render_page
from ledger import errors
from ledger.errors import LedgerError, Problem, shown

log = logging.getLogger("magnet_ledger.api")

PROBLEM_JSON = "application/problem+json"

_STATUSES: tuple[tuple[type[LedgerError], int], ...] = (
    # The first that matches counts, so a subclass stands before its base.
    (errors.InputError, 422),
    (errors.DuplicateIdError, 409),
    (errors.MissingFactorError, 409),
    (errors.RuleError, 422),
    (errors.ConflictError, 409),
    (errors.StoreError, 503),
    # A stored entry, proof or key that does not verify is our fault, never the caller's.
    (errors.VerificationError, 500),
    (LedgerError, 500),
)

TITLES: Mapping[str, str] = {
    "bad-input": "Something in the request is not in its form",
    "against-a-rule": "Well-formed, but against a rule of the ledger",
    "unknown-id": "A batch, party, site or certificate that does not exist",
    "duplicate-id": "An identity that exists already",
    "overdrawn": "More drawn than there is",
    "mass-balance": "A product would hold more of an element than its inputs",
    "missing-factor": "An activity has no adopted emission factor",
    "verification-failed": "A check of the ledger's own hashes, signatures or proofs failed",
    "bad-signature": "A signature in the ledger does not match its key and bytes",
    "broken-link": "An entry of the ledger is not in its place",
    "root-mismatch": "The ledger's tree root differs from the one stated",
    "malformed-proof": "A proof, note or entry of the ledger is not in its form",
    "store-unavailable": "The ledger cannot be reached just now",
    "conflict": "The same key came with another content, or the ledger moved on",
    "ledger-error": "The ledger could not do it",
    "not-found": "There is nothing at this address",
    "method-not-allowed": "This address does not take that method",
    "not-logged-in": "This needs an account",
    "not-allowed": "This account or key may not do that",
    "form-expired": "The form's token is missing or old",
    "too-large": "The request is larger than allowed",
    "unsupported-media-type": "The request's media type is not one that is read here",
    "too-many-requests": "Too many requests from this address",
    "not-ready": "The service is alive but not ready",
    "bad-request": "The request could not be read",
    "internal-error": "Something went wrong on our side",
}
"""Every problem type that can be answered, with its title; shown to people on /problems."""

_BY_STATUS = {400: "bad-request", 404: "not-found", 405: "method-not-allowed"}


class RefusedError(Exception):
    """A refusal that belongs to HTTP and not to the domain: no account, too large, too many.

    slug: key of TITLES. items: further members of the answer's `errors`.
    """

    def __init__(
        self,
        status: int,
        slug: str,
        detail: str,
        items: Sequence[Mapping[str, str]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.slug = slug
        self.detail = detail
        self.items = items
        self.headers = headers or {}


def status_of(error: LedgerError, method: str = "POST") -> int:
    """The HTTP status of `error`. An unknown id that is asked for is a 404; one that is referred to in a body a 422."""
    if isinstance(error, errors.UnknownIdError) and method in ("GET", "HEAD"):
        return 404
    return next(status for kind, status in _STATUSES if isinstance(error, kind))


def item_of(problem: Problem, where: str = "pointer") -> dict[str, str]:
    """`problem` as a member of `errors`."""
    return {
        where: problem.field,
        "value": problem.value,
        "expected": problem.expected,
        "next_step": problem.next_step,
    }


def refusal_of(error: LedgerError) -> dict[str, Any]:
    """What a program is told of `error`, but for the request that it came with."""
    return {
        "type": f"/problems#{error.slug}",
        "title": TITLES[error.slug],
        "status": status_of(error),
        "detail": "; ".join(str(problem) for problem in error.problems),
        "errors": [item_of(problem) for problem in error.problems],
    }


def is_for_programs(request: Request) -> bool:
    """Whether the answer is read by a program: anything but the pages."""
    return request.url.path.startswith(("/api/", "/healthz", "/readyz", "/checkpoint", "/tile/"))


def problem_response(
    request: Request,
    status: int,
    slug: str,
    detail: str,
    items: Sequence[Mapping[str, str]] = (),
    headers: Mapping[str, str] | None = None,
) -> Response:
    """The refusal in the form that its reader wants."""
    request_id: str = getattr(request.state, "request_id", "")
    if not is_for_programs(request):
        return render_page(
            request,
            "problem.html",
            status=status,
            headers=headers,
            title=TITLES[slug],
            detail=detail,
            items=items,
            slug=slug,
            code=status,
            request_id=request_id,
        )
    return JSONResponse(
        {
            "type": f"/problems#{slug}",
            "title": TITLES[slug],
            "status": status,
            "detail": detail,
            "instance": request.url.path,
            "request_id": request_id,
            "errors": [dict(item) for item in items],
        },
        status_code=status,
        headers=dict(headers or {}),
        media_type=PROBLEM_JSON,
    )


def install_error_handlers(app: FastAPI) -> None:
    """Let `app` answer every refusal through `problem_response`."""

    async def http_problem(request: Request, error: Exception) -> Response:
        assert isinstance(error, RefusedError)
        return problem_response(request, error.status, error.slug, error.detail, error.items, error.headers)

    async def ledger_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, LedgerError)
        status = status_of(error, request.method)
        if status >= 500:
            # Where the database lies and how it fares is for the server's log, not for whoever asked.
            log.error("%s %s: %s: %s", request.method, request.url.path, error.slug, error)
            headers = {"Retry-After": "10"} if status == 503 else None
            return problem_response(request, status, error.slug, UNAVAILABLE, (), headers)
        detail = "; ".join(str(problem) for problem in error.problems)
        return problem_response(request, status, error.slug, detail, [item_of(problem) for problem in error.problems])

    async def routing_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        slug = _BY_STATUS.get(error.status_code, "bad-request" if error.status_code < 500 else "internal-error")
        return problem_response(
            request, error.status_code, slug, f"{request.method} {request.url.path}: {error.detail}", (), error.headers
        )

    async def parameter_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        items = [_parameter_item(item) for item in error.errors()]
        detail = "; ".join(f"{item['next_step']} Expected {item['expected']}." for item in items)
        return problem_response(request, 422, "bad-input", detail, items)

    async def unforeseen(request: Request, error: Exception) -> Response:
        # Starlette raises it again after this answer, so the server's log has the traceback; the caller gets none.
        log.error("%s %s: unforeseen %s", request.method, request.url.path, type(error).__name__)
        response = problem_response(
            request, 500, "internal-error", "An unforeseen error. Tell your administrator the request id."
        )
        # This answer is given outside the middleware.
        add_headers(response.headers, getattr(request.state, "request_id", ""))
        return response

    app.add_exception_handler(RefusedError, http_problem)
    app.add_exception_handler(LedgerError, ledger_error)
    app.add_exception_handler(HTTPException, routing_error)
    app.add_exception_handler(RequestValidationError, parameter_error)
    app.add_exception_handler(Exception, unforeseen)


UNAVAILABLE = (
    "The ledger cannot do this at the moment. Try again; if it stays so, tell your administrator the request id."
)

_PLACES = {"query": "parameter", "header": "header", "path": "path", "cookie": "cookie"}


def _parameter_item(item: Mapping[str, object]) -> dict[str, str]:
    """One of FastAPI's own findings as a member of `errors`. Bodies never come this way; `api.bodies` reads them."""
    place = item["loc"]
    assert isinstance(place, tuple)
    kind, *rest = (str(part) for part in place)
    context = item.get("ctx")
    expected = str(context["expected"]) if isinstance(context, dict) and "expected" in context else str(item["msg"])
    name = "/".join(rest)
    if kind == "body":
        return {
            "pointer": "".join(f"/{part}" for part in rest),
            "value": shown(item.get("input")),
            "expected": expected,
            "next_step": "Correct the value and send it again.",
        }
    return {
        _PLACES.get(kind, "parameter"): name,
        "value": "nothing" if item["type"] == "missing" else shown(item.get("input")),
        "expected": expected,
        "next_step": f"Add {name}." if item["type"] == "missing" else f"Correct {name} and ask again.",
    }


def openapi_problem_responses(*statuses: int) -> dict[int | str, dict[str, object]]:
    """The `responses` of a route that may refuse with `statuses`, for the API's description."""
    schema = {"$ref": "#/components/schemas/ProblemDetails"}
    return {
        status: {"description": _REASONS[status], "content": {PROBLEM_JSON: {"schema": schema}}} for status in statuses
    }


_REASONS = {
    400: "The request could not be read",
    401: "No account",
    403: "The account or key may not do that",
    404: "No such thing",
    409: "In conflict with what is in the ledger",
    413: "Too large",
    415: "Another media type",
    422: "Something in the request is wrong; every finding is listed",
    429: "Too many requests; Retry-After says when",
    503: "Not ready",
}

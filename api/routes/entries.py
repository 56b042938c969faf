"""Logging a receipt or a step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from api.auth import Caller, Writer
from api.bodies import json_body
from api.errors import RefusedError, item_of, openapi_problem_responses
from api.logging_entries import KEY_POINTERS, log_entry, parse_key
from api.routes import submissions
from api.routes.submissions import entry_value
from api.schemas import Accepted, Logged
from api.services import Services, ServicesNow
from ledger.errors import ConflictError, InputError, problem
from ledger.log.canonical import Json
from ledger.material.entries import Receipt, Step
from ledger.service.append import Appended
from ledger.service.queued import Pending
from ledger.service.read import balance_of_step

router = APIRouter(prefix="/api/v1", tags=["entries"])

IDEMPOTENCY_KEY = "Idempotency-Key"


def sender_key(
    services: ServicesNow,
    idempotency_key: Annotated[
        str | None,
        Header(
            description=(
                "Your own id for this request, 1 to 128 visible ASCII characters, bare or as a quoted string. Send the "
                "same one to repeat the request. A UUID of version 7 becomes the statement's id."
            )
        ),
    ] = None,
) -> str:
    """The caller's id for the entry, from the header. Required: without it, a repeated request would log twice."""
    key = parse_key(idempotency_key or "")
    if key is None:
        item = {
            "header": IDEMPOTENCY_KEY,
            "value": repr(idempotency_key)[:80] if idempotency_key else "nothing",
            "expected": "1 to 128 visible ASCII characters",
            "next_step": f"Make a fresh one for each entry, for example {services.ledger.new_id()}.",
        }
        raise RefusedError(422, "bad-input", f"{IDEMPOTENCY_KEY}: {item['next_step']}", [item])
    return key


SenderKey = Annotated[str, Depends(sender_key)]
JsonBody = Annotated[Json, Depends(json_body)]


def _body_of(body_type: type[BaseModel]) -> dict[str, Any]:
    """The description of a request whose body we read ourselves."""
    schema = body_type.model_json_schema()
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


_REFUSALS = openapi_problem_responses(401, 403, 409, 413, 415, 422, 503)
_LATER: dict[int | str, dict[str, Any]] = {
    202: {
        "model": Accepted,
        "description": "Accepted, durably; its place in the log follows. Location says where to ask",
    }
}


# The account is asked for first, so that a stranger learns nothing, not even whether his JSON is well-formed.
@router.post(
    "/receipts",
    operation_id="logReceipt",
    summary="Log a receipt",
    status_code=201,
    openapi_extra=_body_of(Receipt),
    response_model=Logged,
    responses=_REFUSALS | _LATER,
)
def log_receipt(
    caller: Writer, key: SenderKey, body: JsonBody, request: Request, response: Response, services: ServicesNow
) -> Logged | Response:
    """Takes a lot into custody. 201 when it was logged now, 200 when it had been logged before under the same key."""
    value = _object(body)
    appended = _log(services, "receipt", value, caller, key)
    if isinstance(appended, Pending):
        return _accepted(appended)
    return _answer(services, response, appended, f"/api/v1/batches/{value['batch_id']}", [])


@router.post(
    "/steps",
    operation_id="logStep",
    summary="Log a process step",
    status_code=201,
    openapi_extra=_body_of(Step),
    response_model=Logged,
    responses=_REFUSALS | _LATER,
)
def log_step(
    caller: Writer, key: SenderKey, body: JsonBody, request: Request, response: Response, services: ServicesNow
) -> Logged | Response:
    """Turns batches into batches; answers with the step's balance per element."""
    value = _object(body)
    appended = _log(services, "step", value, caller, key)
    if isinstance(appended, Pending):
        return _accepted(appended)
    location = f"/api/v1/batches/{value['outputs'][0]['batch_id']}"
    return _answer(services, response, appended, location, balance_of_step(services.ledger, str(value["step_id"])))


def _log(services: Services, entry_type: str, value: Mapping[str, Any], caller: Caller, key: str) -> Appended | Pending:
    try:
        return log_entry(services, entry_type, value, caller.account, key)
    except ConflictError as error:
        items = [item_of(one) for one in error.problems]
        if any(item["pointer"] not in KEY_POINTERS for item in items):
            raise
        # The key is not in the body: it came in the header.
        headers = [
            {"header": IDEMPOTENCY_KEY} | {name: text for name, text in item.items() if name != "pointer"}
            for item in items
        ]
        raise RefusedError(409, error.slug, f"{IDEMPOTENCY_KEY}: {error.problems[0]}", headers) from error


def _object(body: Json) -> Mapping[str, Any]:
    if not isinstance(body, dict):
        raise InputError(problem("", body, "a JSON object", "Send the entry's body as an object."))
    return body


def _answer(
    services: Services, response: Response, appended: Appended, location: str, balance: list[dict[str, Any]]
) -> Logged:
    response.status_code = 200 if appended.repeated else 201
    response.headers["Location"] = location
    return Logged.model_validate(entry_value(appended) | {"balance": balance})


def _accepted(pending: Pending) -> Response:
    headers = {"Location": submissions.PATH.format(number=pending.number), "Retry-After": "1"}
    content = Accepted(number=pending.number, state="waiting").model_dump()
    return JSONResponse(content, status_code=202, headers=headers)

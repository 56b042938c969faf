"""Logging a receipt or a step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Request, Response
from pydantic import BaseModel

from api.auth import Writer
from api.bodies import json_body
from api.errors import RefusedError, item_of, openapi_problem_responses
from api.logging_entries import is_statement_id, log_entry
from api.schemas import Logged
from api.services import Services, ServicesNow
from ledger.errors import InputError, problem
from ledger.log.canonical import Json
from ledger.material.entries import Receipt, Step
from ledger.service.append import Appended
from ledger.service.read import balance_of_step

router = APIRouter(prefix="/api/v1", tags=["entries"])

IDEMPOTENCY_KEY = "Idempotency-Key"


def statement_id(
    services: ServicesNow,
    idempotency_key: Annotated[
        str | None,
        Header(
            description="UUID of version 7, which becomes the statement's id. Send the same one to repeat a request."
        ),
    ] = None,
) -> str:
    """The statement's id, from the header. Required: without it, a repeated request would log twice."""
    given = (idempotency_key or "").lower()
    if not is_statement_id(given):
        item = {
            "header": IDEMPOTENCY_KEY,
            "value": repr(idempotency_key)[:80] if idempotency_key else "nothing",
            "expected": "a UUID of version 7",
            "next_step": f"Make a fresh one for each entry, for example {services.ledger.new_id()}.",
        }
        raise RefusedError(422, "bad-input", f"{IDEMPOTENCY_KEY}: {item['next_step']}", [item])
    return given


StatementId = Annotated[str, Depends(statement_id)]
JsonBody = Annotated[Json, Depends(json_body)]


def _body_of(body_type: type[BaseModel]) -> dict[str, Any]:
    """The description of a request whose body we read ourselves."""
    schema = body_type.model_json_schema()
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


_REFUSALS = openapi_problem_responses(401, 403, 409, 413, 415, 422, 503)


# The account is asked for first, so that a stranger learns nothing, not even whether his JSON is well-formed.
@router.post(
    "/receipts",
    operation_id="logReceipt",
    summary="Log a receipt",
    status_code=201,
    openapi_extra=_body_of(Receipt),
    responses=_REFUSALS,
)
def log_receipt(
    _caller: Writer, key: StatementId, body: JsonBody, request: Request, response: Response, services: ServicesNow
) -> Logged:
    """Takes a lot into custody. 201 when it was logged now, 200 when this very statement had been logged before."""
    value = _object(body)
    appended = log_entry(services, "receipt", value, key)
    return _answer(services, response, appended, f"/api/v1/batches/{value['batch_id']}", [])


@router.post(
    "/steps",
    operation_id="logStep",
    summary="Log a process step",
    status_code=201,
    openapi_extra=_body_of(Step),
    responses=_REFUSALS,
)
def log_step(
    _caller: Writer, key: StatementId, body: JsonBody, request: Request, response: Response, services: ServicesNow
) -> Logged:
    """Turns batches into batches; answers with the step's balance per element."""
    value = _object(body)
    appended = log_entry(services, "step", value, key)
    location = f"/api/v1/batches/{value['outputs'][0]['batch_id']}"
    return _answer(services, response, appended, location, balance_of_step(services.ledger, str(value["step_id"])))


def _object(body: Json) -> Mapping[str, Any]:
    if not isinstance(body, dict):
        raise InputError(problem("", body, "a JSON object", "Send the entry's body as an object."))
    return body


def _answer(
    services: Services, response: Response, appended: Appended, location: str, balance: list[dict[str, Any]]
) -> Logged:
    response.status_code = 200 if appended.repeated else 201
    response.headers["Location"] = location
    return Logged.model_validate(
        {
            "seq": appended.seq,
            "leaf_hash": appended.leaf_hash,
            "statement_id": appended.statement_id,
            "entry_type": appended.entry_type,
            "repeated": appended.repeated,
            "warnings": [item_of(warning) for warning in appended.warnings],
            "balance": balance,
        }
    )

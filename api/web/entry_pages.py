"""The forms that log a receipt or a step, and the page that says what was logged."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request, Response
from fastapi.responses import RedirectResponse
from starlette.concurrency import run_in_threadpool

from api import auth
from api.auth import PageLogin, PageWriter, WriterForm
from api.entry_view import entry_view
from api.errors import status_of
from api.logging_entries import is_statement_id, log_entry
from api.services import Services, ServicesNow
from api.web.forms import Reading, messages, receipt_reading, row_count, step_reading
from api.web.templating import render_page
from ledger.errors import ConflictError, InputError, RuleError, problem
from ledger.log.canonical import MAX_SAFE_INTEGER
from ledger.material.batch import Batch, Plant
from ledger.quantity import format_decimal
from ledger.service.accounts import Login
from ledger.service.append import Appended
from ledger.service.queued import Pending, Refused, read_outcome
from ledger.service.read import factor_book_of, plant_of

router = APIRouter(dependencies=[Depends(auth.login_if_any)])

Seq = Annotated[int, Path(ge=0, le=MAX_SAFE_INTEGER)]

FORMS = ("magnets", "swarf", "carbonate", "concentrate", "acid", "oxide", "other")
CONSUMER_CLASSES = (
    ("post-consumer", "Post-consumer: was in use, such as hard disks or motors"),
    ("pre-consumer", "Pre-consumer: waste of making, such as swarf"),
    ("primary", "Primary: mined, never waste"),
    ("internal", "Internal: a stream of this plant’s own"),
)
STAGES = ("mined", "refined", "separated", "melted", "produced")


@dataclass(frozen=True)
class EntryForm:
    """One kind of form. rows: kinds of rows in it, with how many a fresh form shows."""

    entry_type: str
    path: str
    template: str
    read: Callable[[Mapping[str, str]], Reading]
    rows: Mapping[str, int]


RECEIPT = EntryForm("receipt", "/receipts/new", "receipt.html", receipt_reading, {"activity": 1, "origin": 1})
STEP = EntryForm(
    "step",
    "/steps/new",
    "step.html",
    step_reading,
    {"inputs": 1, "outputs": 1, "residues": 1, "activity": 1, "direct": 1},
)


@router.get("/receipts/new")
def new_receipt(request: Request, _login: PageWriter, services: ServicesNow) -> Response:
    """An empty receipt."""
    return _show(request, services, RECEIPT, {"received_on": services.now().date().isoformat()})


@router.get("/steps/new")
def new_step(request: Request, _login: PageWriter, services: ServicesNow) -> Response:
    """An empty step."""
    return _show(request, services, STEP, {"performed_on": services.now().date().isoformat()})


@router.post("/receipts/new")
async def log_receipt(request: Request, login: PageWriter, form: WriterForm, services: ServicesNow) -> Response:
    """Log the receipt, or show it again with what is wrong."""
    return await run_in_threadpool(_submit, request, services, login, RECEIPT, form)


@router.post("/steps/new")
async def log_step(request: Request, login: PageWriter, form: WriterForm, services: ServicesNow) -> Response:
    """Log the step, or show it again with what is wrong."""
    return await run_in_threadpool(_submit, request, services, login, STEP, form)


@router.get("/entries/{seq}")
def logged(request: Request, seq: Seq, _login: PageLogin, services: ServicesNow) -> Response:
    """What an entry logged: its number, its hash, what it means for mass."""
    entry = entry_view(services.ledger, seq)
    form_path = _FORM_PATHS.get(entry["entry_type"], "")
    return render_page(
        request, "entry.html", entry=entry, form_path=form_path, just_logged="logged" in request.query_params
    )


@router.get("/submissions/{number}")
def submitted(request: Request, number: Seq, login: PageLogin, services: ServicesNow) -> Response:
    """What became of an entry that had no place in the log yet: its page, once it has one."""
    outcome = read_outcome(services.ledger, number, login.account.user_id)
    if isinstance(outcome, Appended):
        return RedirectResponse(f"/entries/{outcome.seq}?logged", status_code=303)
    problems = outcome.error.problems if isinstance(outcome, Refused) else ()
    return render_page(request, "submission.html", number=number, problems=[str(problem) for problem in problems])


_FORM_PATHS = {form.entry_type: form.path for form in (RECEIPT, STEP)}


def _submit(request: Request, services: Services, login: Login, kind: EntryForm, form: dict[str, str]) -> Response:
    added = form.get("add", "")
    if added in kind.rows:
        return _show(request, services, kind, form, add_row=added)
    reading = kind.read(form)
    try:
        statement_id = form.get("statement_id", "")
        if not is_statement_id(statement_id):
            raise InputError(problem("/statement_id", statement_id, "a UUID of version 7", "Open the form anew."))
        appended = log_entry(services, kind.entry_type, reading.body, login.account, statement_id)
    except ConflictError:
        text = (
            "This form was logged before, and has been changed since. Nothing new was logged. "
            "If this is another event, press the button again; if the first entry was wrong, it needs a correction."
        )
        return _show(request, services, kind, form | {"statement_id": ""}, errors={"": text}, status=409)
    except (InputError, RuleError) as error:
        found = messages(reading, form, error.problems)
        return _show(request, services, kind, form, errors=found, status=status_of(error))
    where = f"/submissions/{appended.number}" if isinstance(appended, Pending) else f"/entries/{appended.seq}?logged"
    return RedirectResponse(where, status_code=303)


def _show(
    request: Request,
    services: Services,
    kind: EntryForm,
    values: Mapping[str, str],
    *,
    errors: Mapping[str, str] | None = None,
    add_row: str = "",
    status: int = 200,
) -> Response:
    """The form with `values` as they were typed and each message beside its field."""
    plant = plant_of(services.ledger)
    fresh = not errors and not add_row
    counts = {row: max(row_count(values, row), least) + (row == add_row) for row, least in kind.rows.items()}
    return render_page(
        request,
        kind.template,
        status=status,
        values=values,
        errors=dict(errors or {}),
        counts=counts,
        fresh=fresh,
        # Made with the page and sent back with it: pressing twice, or sending again after a dead network, logs once.
        statement_id=values.get("statement_id") or services.ledger.new_id(),
        choices=_choices(services, plant),
    )


def _choices(services: Services, plant: Plant) -> dict[str, Any]:
    """What the form's lists offer."""
    activities = sorted(factor_book_of(services.ledger).adopted)
    return {
        "forms": FORMS,
        "consumer_classes": CONSUMER_CLASSES,
        "stages": STAGES,
        "sites": [(site.site_id, site.name) for _, site in plant.sites.values()],
        "suppliers": [
            (party.party_id, party.name or "") for _, party in plant.parties.values() if "supplier" in party.roles
        ],
        "activities": [(f"{name} {unit}", f"{name.replace('-', ' ')} ({unit})") for name, unit in activities],
        "stock": [_stock(batch) for batch in reversed(list(plant.batches.values())) if _can_be_drawn(batch)],
        "known": sorted(plant.batches),
    }


def _can_be_drawn(batch: Batch) -> bool:
    return batch.status != "consumed" and batch.remaining != 0


def _stock(batch: Batch) -> dict[str, str]:
    """A batch as the list of inputs shows it, with what is left."""
    if batch.remaining is None:
        left, measure = "not measured: only all of it", "whole"
    else:
        measure = "kg" if batch.mass_kg is not None else "l"
        left = f"{format_decimal(_trimmed(batch.remaining))} {'kg' if measure == 'kg' else 'L'} left"
    return {"batch_id": batch.batch_id, "text": f"{batch.batch_id} · {batch.product} · {left}", "measure": measure}


def _trimmed(number: Decimal) -> Decimal:
    """`number` without zeros behind the point that say nothing."""
    whole = number.to_integral_value()
    return whole.quantize(Decimal(1)) if number == whole else number.normalize()

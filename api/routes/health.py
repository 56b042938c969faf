"""Is the process alive, and can it work."""

from __future__ import annotations

from fastapi import APIRouter

from api.errors import openapi_problem_responses
from api.schemas import Health, Ready
from api.services import ServicesNow
from ledger.service.read import head
from ledger.store.database import check_schema

router = APIRouter(tags=["health"])


@router.get("/healthz", operation_id="health", summary="Alive")
def health() -> Health:
    """Answers as long as the process does; touches nothing."""
    return Health(status="ok")


@router.get("/readyz", operation_id="ready", summary="Ready", responses=openapi_problem_responses(503))
def ready(services: ServicesNow) -> Ready:
    """Answers 200 when the database can be read and its schema is the one of this version, else 503.

    `publisher` is "failing" while checkpoints cannot be signed or published, which hinders nobody from logging.
    """
    check_schema(services.settings.database_url)
    return Ready(status="ready", tree_size=head(services.ledger).tree_size, publisher=services.publishing.state)

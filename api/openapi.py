"""The interface's description (OpenAPI 3.1): what FastAPI derives, plus the shape of refusals and how to
authenticate."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from api.schemas import ProblemDetails

_DESCRIPTION = """
Provenance and footprint of recycled rare-earth products, on an append-only log.

Numbers with a fraction are decimal text ("12.500"), never JSON floats; units stand in the field's name. Every refusal
is `application/problem+json` and lists every finding. Reads and writes need an API key (or a session); verifying a
certificate does not.
""".strip()


def install_description(app: FastAPI) -> None:
    """Let `app` describe itself, once asked."""

    def describe() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _describe(app)
        return app.openapi_schema

    app.openapi = describe  # type: ignore[method-assign]  # FastAPI's documented way of extending its description


def _describe(app: FastAPI) -> dict[str, Any]:
    schema = get_openapi(title=app.title, version=app.version, description=_DESCRIPTION, routes=app.routes)
    parts = schema.setdefault("components", {})
    shapes = parts.setdefault("schemas", {})
    problem = ProblemDetails.model_json_schema(ref_template="#/components/schemas/{model}")
    shapes.update(problem.pop("$defs", {}))
    shapes["ProblemDetails"] = problem
    parts["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer", "description": "An API key, mlk_..."}}
    for path, operations in schema["paths"].items():
        for operation in operations.values():
            # FastAPI describes its own 422; ours has the one shape of all refusals.
            found = operation["responses"].get("422")
            if found is not None and "application/json" in found.get("content", {}):
                found["content"] = {
                    "application/problem+json": {"schema": {"$ref": "#/components/schemas/ProblemDetails"}}
                }
            if path.startswith("/api/v1/") and not path.startswith("/api/v1/certificates/verify"):
                operation["security"] = [{"key": []}]
    for name in ("HTTPValidationError", "ValidationError"):
        shapes.pop(name, None)
    return schema

"""Verifying a certificate; for everybody."""

from __future__ import annotations

from fastapi import APIRouter, Request

from api.bodies import MAX_PDF_BYTES
from api.errors import openapi_problem_responses
from api.schemas import VerificationReport
from api.services import ServicesNow
from api.verification import verify_upload

router = APIRouter(prefix="/api/v1/certificates", tags=["certificates"])

_PDF_BODY = {
    "requestBody": {
        "required": True,
        "description": f"The PDF, at most {MAX_PDF_BYTES} bytes: as the body, or as the field `file` of a form.",
        "content": {
            "application/pdf": {"schema": {"type": "string", "format": "binary"}},
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {"file": {"type": "string", "format": "binary"}},
                }
            },
        },
    }
}


@router.post(
    "/verify",
    operation_id="verifyCertificate",
    summary="Verify a certificate (no account)",
    openapi_extra=_PDF_BODY,
    response_model_exclude_unset=True,
    responses=openapi_problem_responses(400, 413, 415, 422, 429),
)
async def verify(request: Request, services: ServicesNow) -> VerificationReport:
    """Checks the PDF and says what each check came to. Nothing of it is stored. 20 requests a minute from one address.

    A negative verdict is a result, so it answers 200 as well: read `ok`.
    """
    report = await verify_upload(request, services)
    return VerificationReport.model_validate(report.to_value())

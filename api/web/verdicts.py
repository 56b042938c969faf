"""How a verification is put to a visitor: one line, then every check.

Green is for one case only: every required check passed, the page is the one that the data gives, and the issuer's log
says that the certificate stands. Whatever was not checked is called that.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from api.web.formatting import certificate_kind
from certificates.checklist import POSITIVE
from certificates.verify import Verification
from ledger.report import Check, Outcome, all_hold


@dataclass(frozen=True)
class Verdict:
    """The line at the top. word: as the verification gave it. css: its colour class. facts_hold: whether what the file
    says may be relied on as of its issue."""

    word: str
    title: str
    reason: str
    css: str
    facts_hold: bool


_REASONS = {
    "valid when issued, status unknown": (
        "is-warn",
        "Valid when issued, status unknown",
        "Genuine and unchanged. Whether it was superseded or revoked since could not be found out here.",
    ),
    "figures valid, page not compared": (
        "is-warn",
        "Figures valid, page not compared",
        "What the file’s data states is genuine, and not superseded or revoked. What its pages show could not be "
        "compared with that here: read the figures below, not on the page.",
    ),
    "figures valid when issued, page not compared, status unknown": (
        "is-warn",
        "Figures valid when issued, page not compared",
        "What the file’s data states is genuine, but neither its pages nor its status could be compared here: read the "
        "figures below, not on the page, and ask whether it was superseded or revoked since.",
    ),
    "superseded": (
        "is-warn",
        "Superseded",
        "Genuine and unchanged, but a newer certificate has replaced it. Ask the issuer for that one.",
    ),
    "revoked": ("is-bad", "Revoked", "The issuer has withdrawn this certificate. Do not rely on it."),
    "not valid": ("is-bad", "Not valid", "At least one check failed. Do not rely on this file."),
    "cannot be checked": (
        "",
        "Cannot be checked",
        "This file is not a certificate that this site can check. Nothing follows about whether it is genuine.",
    ),
}

_FACTS_HOLD = {*POSITIVE, "superseded"}


def verdict_of(verification: Verification) -> Verdict:
    """The line for `verification`."""
    word = verification.verdict
    checks = list(verification.checks)
    if word == "valid":
        held = {check.name for check in checks if check.outcome is Outcome.PASSED}
        if verification.ok and all_hold(checks) and {"page", "status"} <= held:
            return Verdict(word, "Valid", "Genuine, unchanged, and not superseded or revoked.", "is-good", True)
        # A verdict that its own checks do not bear out is never shown green.
        word = "cannot be checked"
    css, title, reason = _REASONS.get(word, _REASONS["cannot be checked"])
    return Verdict(word, title, reason, css, facts_hold=word in _FACTS_HOLD)


_TITLES = {
    "signature": "The PDF’s signature matches its bytes",
    "signer-trust": "The signer is one that this site trusts",
    "signed-bytes": "The signature covers the whole file, and nothing was added after it",
    "signature-container": "The signature is in its plain form, with nothing hidden in it",
    "signed-update": "Signing added the signature and changed nothing that is shown",
    "embedded-content": "The data inside the file is complete and well-formed",
    "issuance": "The issue of this certificate is an entry of the plant’s log",
    "times": "The times of its entries, of its issue and of its signature fit each other",
    "inclusion-proofs": "Every entry behind the figures lies in the plant’s log",
    "entry-signatures": "Every entry is signed by a key that the log knows",
    "checkpoint-signature": "The log’s state is signed by the log’s key",
    "witnesses": "Witnesses have seen the log in that state, and one history of it",
    "checkpoint-time": "A third party’s timestamp says when the log was in that state",
    "arithmetic": "The figures, computed again from the entries, are the same",
    "page": "The page, drawn again from the data, is the same",
    "status": "The certificate was not superseded or revoked",
    "timestamp": "A third party’s timestamp confirms when it was signed",
}


def check_rows(checks: Sequence[Check]) -> list[dict[str, Any]]:
    """The checks for a list: what was asked, what it came to, and the detail. Failed ones first, then not checked."""
    order = {Outcome.FAILED: 0, Outcome.NOT_CHECKED: 1, Outcome.PASSED: 2}
    return [
        {
            "name": check.name,
            "title": _TITLES.get(check.name, check.name.replace("-", " ").capitalize()),
            "outcome": str(check.outcome),
            "detail": check.detail if check.seq is None else f"Entry {check.seq}: {check.detail}",
        }
        for check in sorted(checks, key=lambda check: order[check.outcome])
    ]


def count_words(checks: Sequence[Check]) -> str:
    """How many passed, failed and were not checked."""
    counts = Counter(check.outcome for check in checks)
    return ", ".join(f"{counts[outcome]} {outcome}" for outcome in Outcome)


def facts(content: dict[str, Any] | None) -> list[tuple[str, str]]:
    """What the file says of itself, for a short list. The content of a file that failed may lack or twist anything."""
    if not isinstance(content, dict):
        return []
    batch, issuer, result = (_object(content, name) for name in ("batch", "issuer", "result"))
    lines: list[tuple[str, object]] = [
        ("Kind", certificate_kind(content.get("kind"))),
        ("Certificate", content.get("certificate_id")),
        ("State", content.get("state")),
        ("Product", batch.get("product")),
        ("Batch", batch.get("batch_id")),
        ("Mass", _with_unit(batch.get("mass_kg"), "kg")),
        ("Footprint", _with_unit(result.get("kg_co2e_per_kg"), "kg CO₂e per kg")),
        *_recycled(content),
        ("Issued by", issuer.get("name")),
        ("Site", issuer.get("site")),
        ("Issued at", content.get("issued_at")),
    ]
    return [(name, str(value)) for name, value in lines if value not in (None, "")]


def provisional_because(content: dict[str, Any] | None) -> list[str]:
    """Why a certificate is provisional, in its own words; empty for a final one."""
    if not isinstance(content, dict) or content.get("state") != "provisional":
        return []
    reasons = content.get("provisional_because")
    return [str(reason) for reason in reasons] if isinstance(reasons, list) and reasons else ["it does not say why"]


def _recycled(content: dict[str, Any]) -> list[tuple[str, object]]:
    """The headline of a provenance certificate: for each element, the share that comes from used products."""
    rows = content.get("recycled")
    return [
        (f"{row.get('element')} from used products", _with_unit(row.get("post_consumer_percent"), "%"))
        for row in (rows if isinstance(rows, list) else [])
        if isinstance(row, dict)
    ]


def _object(content: dict[str, Any], name: str) -> dict[str, Any]:
    value = content.get(name)
    return value if isinstance(value, dict) else {}


def _with_unit(value: object, unit: str) -> str | None:
    return None if value is None else f"{value} {unit}"

"""The demonstration: two campaigns from intake to signed, verified certificates, in a folder of its own.

Everything in it is real: the database, the keys (made now, for this folder alone), the signatures, the checks. The
campaigns are examples; their reagent factors are placeholders, so that every CO2 certificate here is provisional, and
says so.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

from api.certificate_check import verification_value, verify_file
from api.cli.output import print_table, progress_bar, say
from api.deps import issuer_of, log_vkey, new_password, now, open_ledger
from api.settings import FILE_NAME, Settings, load_settings
from api.setup import adopt_default_factors, make_installation
from certificates.affected import affected_certificates
from certificates.issue import Issued, issue_certificate
from certificates.keys import Issuer, write_new_file
from ledger.errors import StoreError, problem
from ledger.log.canonical import parse_json
from ledger.report import all_hold
from ledger.service.accounts import create_account
from ledger.service.campaigns import CampaignImport, import_campaign
from ledger.service.checkpoints import make_checkpoint, verify_log
from ledger.service.context import Actor, Ledger
from ledger.service.footprints import footprint_value_of

ORIGIN = "magnet-ledger.example/belfast-demo"
CERTIFIED = (
    ("OX-NdPr-501-A", "provenance"),
    ("OX-NdPr-501-A", "co2"),
    ("OX-Dy-502", "provenance"),
    ("OX-Dy-502", "co2"),
)
COMPLETE = "demo-complete"
QUOTE = "'"


def run_demo(folder: Path) -> bool:
    """Make the demonstration in `folder`, or verify the one that stands there.

    Returns: whether the log and every certificate hold.
    Raises: StoreError if the folder holds an unfinished demonstration.
    """
    folder = folder.resolve()
    if not (folder / FILE_NAME).exists():
        return _make(folder)
    if not (folder / COMPLETE).exists():
        raise StoreError(
            problem(
                "--dir",
                str(folder),
                "an empty folder or a finished demonstration",
                "Remove the folder or name another.",
            )
        )
    say(f"The demonstration stands in {folder}; verifying it.")
    settings = load_settings(folder)
    return _verify_all(settings, open_ledger(settings))


def _make(folder: Path) -> bool:
    steps = _headings()
    next(steps)
    values: dict[str, str | int] = {
        "origin": ORIGIN,
        "operator": "belfast-operator",
        "issuer_name": "Magnet Ledger demonstration",
        "site_id": "BEL",
    }
    settings, ledger, actor = make_installation(folder, values, "GB")
    password = new_password()
    create_account(ledger, "operator", password, "operator", actor.actor)
    factor_set = adopt_default_factors(ledger, actor, now().date())
    say(f"   folder {folder}, log {ORIGIN}, emission factors adopted: {factor_set}")

    next(steps)
    _import(ledger, actor, "bel-demo-1")
    for batch_id in ("BEL1-OX-NdPr", "BEL1-OX-Dy"):
        _print_footprint(ledger, batch_id)

    next(steps)
    _import(ledger, actor, "bel-demo-2")
    say("   Dy of lot IN-102: supplier 4.4 %, plant 4.0 %, beyond the limit of 0.2; the umpire's 4.1 % settles.")
    for batch_id in ("OX-NdPr-501-A", "OX-Dy-502"):
        _print_footprint(ledger, batch_id)

    next(steps)
    issuer = issuer_of(settings)
    issued = {pair: _issue(settings, ledger, actor, issuer, *pair) for pair in CERTIFIED}

    next(steps)
    _import(ledger, actor, "bel-demo-2-correction")
    for certificate_id in affected_certificates(ledger):
        batch_id, kind = next(pair for pair, one in issued.items() if one.certificate_id == certificate_id)
        _set_aside(settings, batch_id, kind)
        _issue(settings, ledger, actor, issuer, batch_id, kind, supersedes=certificate_id)

    next(steps)
    make_checkpoint(ledger)
    holds = _verify_all(settings, ledger)
    write_new_file(folder / COMPLETE, b"", mode=0o644)
    _print_way_on(folder, settings, password)
    return holds


def _headings() -> Iterator[None]:
    for number, text in enumerate(
        (
            "Set up: keys, database, log, emission factors",
            "Campaign BEL-DEMO-1: one lot, the arithmetic oracle",
            "Campaign BEL-DEMO-2: three lots, a disputed assay, a blend, a separation",
            "Certificates",
            "A meter was read wrongly: correct it, supersede what it touched",
            "Verify everything",
        ),
        start=1,
    ):
        say(f"\n{number}. {text}")
        yield


def _import(ledger: Ledger, actor: Actor, name: str) -> CampaignImport:
    document = parse_json((files("api") / "campaigns" / f"{name}.json").read_bytes())
    with progress_bar(f"   {name}") as progress:
        result = import_campaign(ledger, document, actor, progress=progress)
    first, last = result.appended[0].seq, result.appended[-1].seq
    say(f"   {name}: {len(result.appended)} events logged, entries {first} to {last}")
    for seq, warning in result.warnings():
        say(f"   warning, entry {seq}: {warning.value.strip(QUOTE)}; expected {warning.expected}")
    return result


def _print_footprint(ledger: Ledger, batch_id: str) -> None:
    value = footprint_value_of(ledger, batch_id, "mass")
    results = value["results_by_allocation"]
    per_kg = ", ".join(f"{name} {result.get('kg_co2e_per_kg', 'not available')}" for name, result in results.items())
    say(f"   {batch_id}: {value['mass_kg']} kg {value['product']}, kg CO2e per kg by allocation: {per_kg}")


def _paths(settings: Settings, batch_id: str, kind: str) -> tuple[Path, Path]:
    stem = settings.certificates_dir / f"{batch_id}-{kind}"
    return stem.with_name(stem.name + ".pdf"), stem.with_name(stem.name + ".json")


def _issue(
    settings: Settings,
    ledger: Ledger,
    actor: Actor,
    issuer: Issuer,
    batch_id: str,
    kind: str,
    supersedes: str | None = None,
) -> Issued:
    reason = None if supersedes is None else "a meter reading that it rests on was corrected"
    issued = issue_certificate(ledger, batch_id, kind, issuer, actor, supersedes=supersedes, reason=reason)
    path, _ = _paths(settings, batch_id, kind)
    write_new_file(path, issued.pdf, mode=0o644)
    replaced = f", supersedes {supersedes}" if supersedes else ""
    say(f"   {path.name}: {issued.content['state']}, {issued.certificate_id}{replaced}")
    return issued


def _set_aside(settings: Settings, batch_id: str, kind: str) -> None:
    """Move a superseded certificate out of the way of the one that replaces it; it stays readable and checkable."""
    path, _ = _paths(settings, batch_id, kind)
    target = settings.certificates_dir / "superseded" / path.name
    target.parent.mkdir(exist_ok=True)
    path.rename(target)
    say(f"   touched by the correction: {path.name}, kept under superseded/")


def _verify_all(settings: Settings, ledger: Ledger) -> bool:
    """Verify the log and every certificate, write each report beside its certificate, print a table."""
    checks = verify_log(ledger, log_vkey(settings))
    holds = all_hold(checks)
    say(f"   log: {'holds' if holds else 'DOES NOT HOLD'}, {len(checks)} checks")
    rows: list[list[str]] = []
    current = sorted(settings.certificates_dir.glob("*.pdf"))
    for path in [*current, *sorted((settings.certificates_dir / "superseded").glob("*.pdf"))]:
        verification = verify_file(path.read_bytes(), settings, trust_dir=None, now=now())
        value = verification_value(verification, path.name)
        path.with_suffix(".json").write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")
        # A superseded certificate must be called superseded, and a current one must hold.
        holds = holds and (verification.ok if path in current else verification.verdict == "superseded")
        rows.append([str(path.relative_to(settings.certificates_dir)), verification.verdict, *_count(value["checks"])])
    print_table(("certificate", "verdict", "passed", "failed", "not checked"), rows, right=frozenset({2, 3, 4}))
    return holds


def _count(checks: list[dict[str, Any]]) -> list[str]:
    return [
        str(sum(check["outcome"] == outcome for check in checks)) for outcome in ("passed", "failed", "not checked")
    ]


def _print_way_on(folder: Path, settings: Settings, password: str) -> None:
    program = Path(sys.argv[0])
    command = program.resolve() if program.name == "magnet-ledger" and program.exists() else "magnet-ledger"
    say(f"\nLook at {settings.certificates_dir}, and try:")
    say(f"   cd {folder}")
    say(f"   {command} batch trace OX-NdPr-501-A --up")
    say(f"   {command} certificate verify certificates/OX-NdPr-501-A-co2.pdf")
    say(f"\nLog in on the pages as operator with the password {password}   (shown this once; only its hash is kept)")

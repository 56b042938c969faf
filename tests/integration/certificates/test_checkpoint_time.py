"""The time stamp in a certificate: over its checkpoint, by an authority that the verifier trusts, or not passed."""

from __future__ import annotations

import shutil
import subprocess
import sys
from base64 import b64decode, b64encode
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from certificates.issue import Issued
from certificates.keys import make_demo_authority
from certificates.verify import Trust, Verification
from ledger.errors import InputError, StoreError
from ledger.log.timestamp import stamped_bytes
from ledger.report import Check, Outcome
from ledger.service.append import Draft, append_entries, create_log
from ledger.service.factor_library import default_adoption
from ledger.service.read import state_of
from tests.certified_plant import MADE_AT, CertifiedPlant, embedded, failed_checks, forge, verify
from tests.local_tsa import Answer, LocalTsa, honest, make_local_tsa, serving
from tests.store_samples import ACTOR, make_ledger


def now() -> datetime:
    """The machine's time, which is the local authority's too."""
    return datetime.now(UTC)


def verify_now(pdf: bytes, trust: Trust) -> Verification:
    """Verification at present."""
    return verify(pdf, trust, now=now())


def time_check(verification: Verification) -> Check:
    """The check in question."""
    return next(check for check in verification.checks if check.name == "checkpoint-time")


@pytest.fixture(scope="module")
def tsa(tmp_path_factory: pytest.TempPathFactory) -> LocalTsa:
    """The authority that is trusted."""
    return make_local_tsa(tmp_path_factory.mktemp("tsa"))


@pytest.fixture(scope="module")
def plant(tsa: LocalTsa, _sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[CertifiedPlant]:
    """A plant that goes by the machine's clock and has its certificates time stamped."""
    folder = tmp_path_factory.mktemp("stamped")
    shutil.copyfile(_sqlite_template, folder / "ledger.db")
    with serving(honest(tsa)) as url:
        ledger = replace(
            make_ledger(f"sqlite:///{folder / 'ledger.db'}", folder), now=now, tsa_url=url, tsa_roots=(tsa.root,)
        )
        create_log(ledger, ACTOR)
        adoption = default_adoption("gb-2023", MADE_AT.date())
        append_entries(ledger, [Draft("factor_adoption", adoption.to_value())], ACTOR)
        authority = make_demo_authority("Belfast Demo Plant", "GB", now() - timedelta(days=1))
        made = CertifiedPlant(ledger, authority)
        made.run_campaign("bel-demo-1")
        made.run_campaign("bel-demo-2")
        yield made
        ledger.engine.dispose()


@pytest.fixture(scope="module")
def issued(plant: CertifiedPlant) -> Issued:
    """A certificate with a time stamp."""
    return plant.issue(kind="provenance")


@pytest.fixture(scope="module")
def trust(plant: CertifiedPlant, tsa: LocalTsa) -> Trust:
    """What a buyer trusts who trusts the authority too."""
    return replace(plant.trust, tsa_roots=(tsa.root,))


def test_certificate_is_stamped_when_it_is_issued(issued: Issued, trust: Trust, tsa: LocalTsa) -> None:
    verification = verify_now(issued.pdf, trust)
    check = time_check(verification)
    assert check.outcome is Outcome.PASSED, check.detail
    assert "CN=Local Test TSA" in check.detail
    assert verification.ok
    _, evidence = embedded(issued.pdf)
    assert tsa.openssl_accepts(b64decode(evidence["timestamp"]), stamped_bytes(evidence["checkpoint"]))


def test_without_a_trusted_authority_the_time_is_not_checked_and_the_rest_is(
    issued: Issued, plant: CertifiedPlant
) -> None:
    verification = verify_now(issued.pdf, plant.trust)
    check = time_check(verification)
    assert (check.outcome, check.required) == (Outcome.NOT_CHECKED, False)
    assert "trusted" in check.detail
    assert verification.ok


def test_certificate_without_a_time_stamp_is_still_valid(issued: Issued, plant: CertifiedPlant, trust: Trust) -> None:
    def drop(content: dict[str, Any], evidence: dict[str, Any]) -> None:
        del evidence["timestamp"]

    verification = verify_now(forge(issued, plant.authority, drop), trust)
    check = time_check(verification)
    assert (check.outcome, check.required) == (Outcome.NOT_CHECKED, False)
    assert "holds no time stamp" in check.detail
    assert verification.ok


def test_authority_that_is_not_trusted_fails_the_check(issued: Issued, plant: CertifiedPlant, tmp_path: Path) -> None:
    stranger = make_local_tsa(tmp_path)
    verification = verify_now(issued.pdf, replace(plant.trust, tsa_roots=(stranger.root,)))
    assert failed_checks(verification) == ["checkpoint-time"]
    assert not verification.ok


def test_issuers_root_tells_no_time_and_the_authoritys_root_issues_nothing(
    issued: Issued, plant: CertifiedPlant, tsa: LocalTsa
) -> None:
    swapped = Trust(roots=(tsa.root,), vkeys=plant.trust.vkeys, tsa_roots=plant.trust.roots)
    assert failed_checks(verify_now(issued.pdf, swapped)) == ["signer-trust"]
    issuer_as_clock = replace(plant.trust, tsa_roots=plant.trust.roots)
    assert failed_checks(verify_now(issued.pdf, issuer_as_clock)) == ["checkpoint-time"]


def with_token(make: Any) -> Any:
    """A change that puts `make(token, note)` in place of the token."""

    def change(content: dict[str, Any], evidence: dict[str, Any]) -> None:
        token = make(b64decode(evidence["timestamp"]), evidence["checkpoint"])
        evidence["timestamp"] = token if isinstance(token, str) else b64encode(token).decode()

    return change


@pytest.mark.parametrize("corruption", ["another text", "a changed signature", "no base64", "nothing", "no token"])
def test_token_that_does_not_hold_fails_the_check(
    corruption: str, issued: Issued, plant: CertifiedPlant, trust: Trust, tsa: LocalTsa
) -> None:
    """A dishonest issuer signs the certificate anew: only the token is wrong."""
    made = {
        "another text": lambda token, note: tsa.stamp(stamped_bytes(note) + b"\n"),
        "a changed signature": lambda token, note: token[:-1] + bytes([token[-1] ^ 1]),
        "no base64": lambda token, note: "*",
        "nothing": lambda token, note: "",
        "no token": lambda token, note: b"no DER",
    }[corruption]
    verification = verify_now(forge(issued, plant.authority, with_token(made)), trust)
    assert failed_checks(verification) == ["checkpoint-time"]
    assert not verification.ok


def test_log_clock_that_the_authority_contradicts_fails_the_check(
    own_plant: CertifiedPlant, tsa: LocalTsa, tmp_path: Path
) -> None:
    """By the log's clock the issue was on 4 May 2026; the token shows that the checkpoint was signed later."""
    certificate = own_plant.issue(kind="provenance")

    def stamp_late(content: dict[str, Any], evidence: dict[str, Any]) -> None:
        evidence["timestamp"] = b64encode(tsa.stamp(stamped_bytes(evidence["checkpoint"]))).decode()

    trust = replace(own_plant.trust, tsa_roots=(tsa.root,))
    verification = verify(forge(certificate, own_plant.authority, stamp_late), trust)
    assert failed_checks(verification) == ["checkpoint-time"]
    assert "2026-05-04" in time_check(verification).detail


def test_without_the_library_the_time_is_not_checked_and_says_what_to_install(
    issued: Issued, trust: Trust, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "rfc3161_client", None)
    check = time_check(verify_now(issued.pdf, trust))
    assert (check.outcome, check.required) == (Outcome.NOT_CHECKED, False)
    assert 'pip install "magnet-ledger[time]"' in check.detail


def test_verifier_loads_the_library_only_for_a_token() -> None:
    code = "import sys, certificates.verify; print('rfc3161_client' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


def failing(tsa: LocalTsa, after: int) -> Answer:
    """Answers honestly to the first `after` requests, then with an error."""
    asked: list[bytes] = []

    def answer(query: bytes) -> tuple[int, str, bytes]:
        asked.append(query)
        return honest(tsa)(query) if len(asked) <= after else (500, "text/plain", b"out of order")

    return answer


@pytest.fixture
def unstamped(own_plant: CertifiedPlant, tsa: LocalTsa) -> CertifiedPlant:
    """A plant of the test's own that goes by the machine's clock."""
    authority = make_demo_authority("Belfast Demo Plant", "GB", now() - timedelta(days=1))
    return CertifiedPlant(replace(own_plant.ledger, now=now, tsa_roots=(tsa.root,)), authority)


def test_nothing_is_logged_where_the_authority_does_not_answer(unstamped: CertifiedPlant, tsa: LocalTsa) -> None:
    before = state_of(unstamped.ledger).tree_size
    with serving(failing(tsa, 0)) as url, pytest.raises(StoreError, match="HTTP 500"):
        replace(unstamped, ledger=replace(unstamped.ledger, tsa_url=url)).issue()
    assert state_of(unstamped.ledger).tree_size == before


def test_nothing_is_logged_where_the_clock_is_wrong(unstamped: CertifiedPlant, tsa: LocalTsa) -> None:
    before = state_of(unstamped.ledger).tree_size
    with serving(honest(tsa)) as url:
        fast = replace(unstamped.ledger, tsa_url=url, now=lambda: now() + timedelta(minutes=11))
        with pytest.raises(StoreError, match="clock right"):
            replace(unstamped, ledger=fast).issue()
    assert state_of(unstamped.ledger).tree_size == before


def test_certificate_that_was_logged_but_not_stamped_is_named_and_can_be_superseded(
    unstamped: CertifiedPlant, tsa: LocalTsa
) -> None:
    """The authority answers when it is tried, and no more when the checkpoint is to be stamped."""
    with serving(failing(tsa, 1)) as url, pytest.raises(StoreError, match="superseding") as caught:
        replace(unstamped, ledger=replace(unstamped.ledger, tsa_url=url)).issue()
    ((certificate_id, _),) = state_of(unstamped.ledger).plant.certificates.items()
    assert certificate_id in str(caught.value)
    with serving(honest(tsa)) as url:
        plant = replace(unstamped, ledger=replace(unstamped.ledger, tsa_url=url))
        again = plant.issue(supersedes=certificate_id, reason="no time stamp could be had")
    trust = replace(unstamped.trust, tsa_roots=(tsa.root,))
    assert time_check(verify_now(again.pdf, trust)).outcome is Outcome.PASSED


def test_root_that_is_no_certificate_is_the_verifiers_mistake(issued: Issued, plant: CertifiedPlant) -> None:
    with pytest.raises(InputError, match=r"tsa\.pem"):
        verify_now(issued.pdf, replace(plant.trust, tsa_roots=(b"no PEM",)))

"""Certificates fail closed on witnesses: none is issued, and none passes, without as many as are demanded."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from api.witness.client import WitnessClient
from api.witness.folder import Witness, make_witness, open_witness
from certificates.issue import Issued
from certificates.verify import Trust
from ledger.errors import InputError, StoreError
from ledger.log.add_checkpoint import COSIGNED, AddCheckpoint
from ledger.log.checkpoint import parse_vkey
from ledger.log.cosignature import (
    WitnessPolicy,
    add_signature_lines,
    cosign,
    format_witness_vkey,
    make_witness_key,
)
from ledger.report import Check, Outcome
from ledger.service.checkpoints import newest_checkpoint
from ledger.service.context import AskWitnesses, Ledger
from ledger.service.key_changes import revoke_key
from ledger.service.read import state_of
from tests.certified_plant import NOW, CertifiedPlant, embedded, failed_checks, forge, make_certified_plant, verify
from tests.served_witness import serve
from tests.store_samples import ACTOR, VKEY
from tests.witness_samples import KEYS

NAMES = ("witness.example.com/w1", "buyer.example.com/witness")


@dataclass(frozen=True)
class WitnessedPlant:
    """A plant, and two witnesses that share its clock."""

    plant: CertifiedPlant
    witnesses: tuple[Witness, ...]

    @property
    def ledger(self) -> Ledger:
        return self.plant.ledger

    def policy(self, needed: int) -> WitnessPolicy:
        keys = tuple(make_witness_key(one.name, one.key.public_key()) for one in self.witnesses)
        return WitnessPolicy(needed, keys)

    def trust(self, needed: int) -> Trust:
        return replace(self.plant.trust, witnesses=self.policy(needed))

    def asker(self, *answering: Witness) -> AskWitnesses:
        """Asks the witnesses without a network between; those that are not named are down."""

        def ask(note: str, path_from: Callable[[int], list[bytes]]) -> tuple[str, list[Check]]:
            findings = []
            for witness in self.witnesses:
                if witness not in answering:
                    findings.append(Check("witnesses", Outcome.NOT_CHECKED, f"{witness.name}: down", required=False))
                    continue
                seen = witness.store.seen(self.ledger.origin)
                old = 0 if seen is None else seen.tree_size
                answer, line = witness.add_checkpoint(AddCheckpoint(old, tuple(path_from(old) if old else ()), note))
                assert answer.status == COSIGNED, answer
                note = add_signature_lines(note, [line])
            return note, findings

        return ask

    def issue(self, needed: int, *answering: Witness, ask: AskWitnesses | None = None) -> Issued:
        ledger = replace(self.ledger, witnesses=self.policy(needed), ask_witnesses=ask or self.asker(*answering))
        return replace(self.plant, ledger=ledger).issue()

    def size(self) -> int:
        return state_of(self.ledger).tree_size


@pytest.fixture(scope="module")
def plant(_sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WitnessedPlant]:
    folder = tmp_path_factory.mktemp("witnessed")
    shutil.copyfile(_sqlite_template, folder / "ledger.db")
    made = make_certified_plant(f"sqlite:///{folder / 'ledger.db'}", folder)
    witnesses = []
    for number, name in enumerate(NAMES):
        make_witness(folder / f"w{number}", name)
        witnesses.append(open_witness(folder / f"w{number}", made.ledger.now))
        witnesses[-1].store.add_log_key(parse_vkey(VKEY))
    yield WitnessedPlant(made, tuple(witnesses))
    made.ledger.engine.dispose()


@pytest.fixture(scope="module")
def issued(plant: WitnessedPlant) -> Issued:
    """A certificate under the eyes of both witnesses."""
    return plant.issue(2, *plant.witnesses)


def witness_check(pdf: bytes, trust: Trust, now: datetime = NOW) -> Check:
    return next(check for check in verify(pdf, trust, now=now).checks if check.name == "witnesses")


def test_a_certificate_that_enough_witnesses_have_seen_passes_and_names_them(
    plant: WitnessedPlant, issued: Issued
) -> None:
    check = witness_check(issued.pdf, plant.trust(2))
    assert check.outcome is Outcome.PASSED
    assert all(name in check.detail for name in NAMES)
    assert "2026-05-04" in check.detail  # the day on the witnesses' clock
    assert verify(issued.pdf, plant.trust(2)).ok


def test_the_cosigned_checkpoint_is_kept_in_the_log_s_database(plant: WitnessedPlant, issued: Issued) -> None:
    assert newest_checkpoint(plant.ledger) == embedded(issued.pdf)[1]["checkpoint"]


def test_a_verifier_without_a_policy_is_told_that_nobody_else_has_confirmed_the_checkpoint(
    plant: WitnessedPlant, issued: Issued
) -> None:
    verification = verify(issued.pdf, plant.plant.trust)
    check = witness_check(issued.pdf, plant.plant.trust)
    assert verification.ok
    assert check.outcome is Outcome.NOT_CHECKED
    assert not check.required
    assert "nobody beside the log has confirmed the checkpoint" in check.detail


def test_a_certificate_with_fewer_witnesses_than_the_verifier_demands_fails(plant: WitnessedPlant) -> None:
    by_one = plant.issue(1, plant.witnesses[0])
    assert witness_check(by_one.pdf, plant.trust(1)).outcome is Outcome.PASSED
    verification = verify(by_one.pdf, plant.trust(2))
    assert failed_checks(verification) == ["witnesses"]
    assert not verification.ok
    assert NAMES[1] in witness_check(by_one.pdf, plant.trust(2)).detail


def test_nothing_is_issued_or_logged_while_too_few_answer(plant: WitnessedPlant) -> None:
    before = plant.size()
    with pytest.raises(StoreError) as refused:
        plant.issue(2, plant.witnesses[1])
    assert NAMES[0] in str(refused.value)
    assert "witness.example.com/w1: down" in str(refused.value)
    assert "Nothing was logged" in str(refused.value)
    assert plant.size() == before


def test_nobody_to_ask_is_nobody_who_has_answered(plant: WitnessedPlant) -> None:
    before = plant.size()
    ledger = replace(plant.ledger, witnesses=plant.policy(1))
    with pytest.raises(StoreError, match="0 of the 1 witnesses"):
        replace(plant.plant, ledger=ledger).issue()
    assert plant.size() == before


def test_a_witness_that_falls_silent_after_the_issue_was_logged_leaves_no_file_and_says_so(
    plant: WitnessedPlant,
) -> None:
    calls = []

    def once(note: str, path_from: Callable[[int], list[bytes]]) -> tuple[str, list[Check]]:
        calls.append(note)
        answering = plant.witnesses if len(calls) == 1 else ()
        return plant.asker(*answering)(note, path_from)

    before = plant.size()
    with pytest.raises(StoreError, match="No file was made") as refused:
        plant.issue(2, ask=once)
    assert "which is logged as issued" in str(refused.value)
    assert plant.size() == before + 1
    certificate_id = list(state_of(plant.ledger).plant.certificates)[-1]
    again = replace(
        plant.plant,
        ledger=replace(plant.ledger, witnesses=plant.policy(2), ask_witnesses=plant.asker(*plant.witnesses)),
    ).issue(supersedes=certificate_id, reason="the witnesses did not answer")
    assert verify(again.pdf, plant.trust(2)).ok


def test_an_asker_that_changes_the_checkpoint_is_not_followed(plant: WitnessedPlant) -> None:
    def lie(note: str, _: Callable[[int], list[bytes]]) -> tuple[str, list[Check]]:
        return note.replace("\n\n", "\n", 1), []

    with pytest.raises(StoreError, match="0 of the 1 witnesses"):
        plant.issue(1, ask=lie)


def test_where_none_is_needed_a_silent_witness_hinders_nothing(plant: WitnessedPlant) -> None:
    without = plant.issue(0)
    assert verify(without.pdf, plant.plant.trust).ok
    assert failed_checks(verify(without.pdf, plant.trust(1))) == ["witnesses"]


def test_a_line_that_a_dishonest_issuer_wrote_in_a_witness_s_name_fails(plant: WitnessedPlant, issued: Issued) -> None:
    def other_line(_: dict[str, Any], evidence: dict[str, Any]) -> None:
        log_only = "— ".join(evidence["checkpoint"].split("— ")[:2])
        evidence["checkpoint"] = log_only + cosign(log_only, NAMES[0], KEYS[0], int(NOW.timestamp()))

    forged = forge(issued, plant.plant.authority, other_line)
    assert "witnesses" in failed_checks(verify(forged, plant.trust(1)))


def test_a_changed_byte_in_a_witness_s_line_fails_even_without_a_demand(plant: WitnessedPlant, issued: Issued) -> None:
    def change(_: dict[str, Any], evidence: dict[str, Any]) -> None:
        note = evidence["checkpoint"]
        place = len(note) - 20
        evidence["checkpoint"] = note[:place] + ("A" if note[place] != "A" else "B") + note[place + 1 :]

    forged = forge(issued, plant.plant.authority, change)
    assert "witnesses" in failed_checks(verify(forged, plant.trust(0)))


def test_a_cosignature_long_after_the_log_s_time_shows_that_the_log_s_clock_lies(
    plant: WitnessedPlant, issued: Issued
) -> None:
    witness = plant.witnesses[0]

    def late(_: dict[str, Any], evidence: dict[str, Any]) -> None:
        log_only = "— ".join(evidence["checkpoint"].split("— ")[:2])
        at = int((NOW - timedelta(days=1)).timestamp())
        evidence["checkpoint"] = log_only + cosign(log_only, witness.name, witness.key, at)

    forged = forge(issued, plant.plant.authority, late)
    check = witness_check(forged, plant.trust(1))
    assert check.outcome is Outcome.FAILED
    assert "by the log's clock" in check.detail


def test_a_cosignature_from_the_verifier_s_future_fails(plant: WitnessedPlant, issued: Issued) -> None:
    past = NOW - timedelta(days=400)
    assert witness_check(issued.pdf, plant.trust(1)).outcome is Outcome.PASSED
    assert not verify(issued.pdf, plant.trust(1), now=past).ok


def test_a_policy_cannot_demand_more_than_it_names(plant: WitnessedPlant) -> None:
    with pytest.raises(InputError):
        plant.policy(3)


def test_a_witness_that_the_log_has_revoked_counts_no_more(own_plant: CertifiedPlant, tmp_path: Path) -> None:
    make_witness(tmp_path / "w", NAMES[0])
    witness = open_witness(tmp_path / "w", own_plant.ledger.now)
    witness.store.add_log_key(parse_vkey(VKEY))
    plant = WitnessedPlant(own_plant, (witness,))
    before = plant.issue(1, witness)
    vkey = format_witness_vkey(plant.policy(1).witnesses[0])
    revoke_key(own_plant.ledger, "witness", vkey, "their server was taken over", ACTOR)
    with pytest.raises(StoreError, match="0 of the 1 witnesses needed"):
        plant.issue(1, witness)
    after = plant.issue(0, witness)  # a dishonest issuer takes the line all the same
    assert witness_check(before.pdf, plant.trust(1)).outcome is Outcome.PASSED
    assert NAMES[0] in embedded(after.pdf)[1]["checkpoint"]
    assert witness_check(after.pdf, plant.trust(1)).outcome is Outcome.FAILED


def test_over_http_a_certificate_is_issued_with_the_witness_s_line(plant: WitnessedPlant) -> None:
    witness = plant.witnesses[0]
    with serve(witness) as served:
        policy = WitnessPolicy(1, (served.key,), (served.url,))
        client = WitnessClient(policy, plant.ledger.now)
        ledger = replace(plant.ledger, witnesses=policy, ask_witnesses=client.ask)
        over_http = replace(plant.plant, ledger=ledger).issue()
    assert witness_check(over_http.pdf, plant.trust(1)).outcome is Outcome.PASSED


def test_checking_witnesses_loads_no_network_library() -> None:
    code = "import sys, certificates.verify; print(sorted(name for name in ('urllib3', 'api') if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

"""What a pack's own entries say of keys decides, at their place, which signatures count."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ledger.log.checkpoint import format_vkey
from ledger.log.cosignature import WitnessPolicy, add_signature_lines, format_witness_vkey
from ledger.log.envelope import GENESIS_PREV, splice_envelope
from ledger.log.keyring import sign_handover
from ledger.log.signed import CheckedStatement, SignedStatement, make_signed
from ledger.log.statement import Statement
from ledger.pack.verify import (
    LogKey,
    Report,
    Signers,
    VerifierKey,
    Wanted,
    check_pack,
    no_progress,
    parse_verifier_key,
    read_entry,
)
from ledger.report import all_hold
from ledger.service.append import Draft, actor_key_body, append_entries, append_signed, register_actor
from ledger.service.audit import verify_log
from ledger.service.checkpoints import make_checkpoint
from ledger.service.context import Ledger, make_actor
from ledger.service.imports import import_signed
from ledger.service.pack import export_pack
from ledger.service.witnesses import cosigned
from tests.pack_samples import SECOND_ACTOR_KEY, SECOND_LOG_KEY, SECOND_VKEY, base64_text
from tests.store_samples import (
    ACTOR,
    LOG_KEY,
    ORIGIN,
    STRANGER,
    VKEY,
    make_ledger,
    receipt,
    signed_elsewhere,
    start_log,
)
from tests.witness_samples import WITNESSES, line_of


@pytest.fixture
def ledger(database_url: str, tmp_path: Path) -> Ledger:
    """A ledger of four entries, with a second key of the log at hand."""
    made = make_ledger(database_url, tmp_path)
    made.next_log_key = SECOND_LOG_KEY
    start_log(made)
    register_actor(made, STRANGER, ACTOR)
    return made


def checked(ledger: Ledger, path: Path, *vkeys: str) -> Report:
    """What the verifier says of the ledger's pack to an auditor who trusts these keys."""
    export_pack(ledger, path)
    ledger.engine.dispose()
    keys: list[VerifierKey] = [parse_verifier_key(vkey, 1, "--vkey") for vkey in vkeys]
    report = Report()
    check_pack(io.BytesIO(path.read_bytes()), Wanted(keys, [], None, None, 2**40, 1), report, no_progress)
    return report


def hand_over(ledger: Ledger, seq: int) -> None:
    """Entry seq: the log's second key is added."""
    old, new = sign_handover(ORIGIN, LOG_KEY, SECOND_LOG_KEY, seq + 1)
    body = {
        "vkey": SECOND_VKEY,
        "old_vkey": VKEY,
        "from_size": seq + 1,
        "old_signature": base64_text(old),
        "new_signature": base64_text(new),
    }
    append_entries(ledger, [Draft("log_key_added", body)], ACTOR)


def test_entries_before_a_revocation_stay_good(ledger: Ledger, tmp_path: Path) -> None:
    append_entries(ledger, [receipt("IN-1")], STRANGER)
    revoked = Draft("key_revoked", {"kind": "actor", "key": STRANGER.kid, "reason": "left the company"})
    append_entries(ledger, [revoked], ACTOR)
    report = checked(ledger, tmp_path / "pack.zip", VKEY)
    assert (report.verdict(), report.findings) == ("verified", [])
    assert "compromised-keys" in report.passed
    assert "compromised-keys" not in report.skipped


def key_statement(body: dict[str, Any]) -> CheckedStatement:
    """The actor's statement that registers a key, with just this body."""
    statement = Statement(
        "actor_key",
        "01890000-0000-7000-8fff-00000000eeee",
        "2026-05-04T08:00:00.000000Z",
        ACTOR.actor,
        ACTOR.kid,
        body,
    )
    return make_signed(statement, ACTOR.private_key)


def test_a_key_is_registered_by_a_statement_of_schema_1_stated_or_not_and_of_no_other(
    ledger: Ledger, tmp_path: Path
) -> None:
    """Who signs elsewhere may leave the schema out: the log takes the entry, and so must who reads the log."""
    third = make_actor("third-1", SECOND_ACTOR_KEY)
    unstated = actor_key_body(third, "laboratory")
    assert "schema" not in unstated
    made = key_statement(unstated)
    append_signed(ledger, [SignedStatement(made.statement_bytes, made.signature)])
    append_entries(ledger, [receipt("IN-1")], third)
    assert all_hold(verify_log(ledger, VKEY))
    report = checked(ledger, tmp_path / "pack.zip", VKEY)
    assert (report.verdict(), report.findings) == ("verified", [])


@pytest.mark.parametrize("schema", [2, True, "1", None])
def test_an_entry_about_keys_of_another_schema_is_found(schema: Any) -> None:
    report = Report()
    vkey = parse_verifier_key(VKEY, 1, "--vkey")
    signers = Signers([LogKey(vkey, 0, None, None)], report)
    made = key_statement({"schema": schema, **actor_key_body(ACTOR, "operator")})
    recv = "2026-05-04T08:00:00.000000Z"
    data = splice_envelope(ORIGIN, 0, GENESIS_PREV, recv, made.signature, made.statement_bytes)
    signers.take(0, read_entry(data, {}))
    assert (report.findings[0].check, report.findings[0].field) == ("entry-key", "/stmt/body/schema")


def test_entries_by_a_key_that_others_may_have_held_are_not_said_to_be_checked(ledger: Ledger, tmp_path: Path) -> None:
    append_entries(ledger, [receipt("IN-1")], STRANGER)  # entry 4
    body = {"kind": "actor", "key": STRANGER.kid, "reason": "tablet stolen", "compromised_from_seq": 4}
    append_entries(ledger, [Draft("key_revoked", body)], ACTOR)
    report = checked(ledger, tmp_path / "pack.zip", VKEY)
    (outcome,) = [outcome for check, outcome, _, _ in report.lines() if check == "compromised-keys"]
    assert outcome == "not checked"
    assert f"from 4 on that key {STRANGER.kid} signed" in report.skipped["compromised-keys"][0]
    assert report.verdict() == "verified"  # the log itself holds; who made those entries is said to be unknown


def test_entries_by_a_key_that_a_thief_registered_are_not_said_to_be_checked(ledger: Ledger, tmp_path: Path) -> None:
    thief = make_actor("operator-9", SECOND_ACTOR_KEY)
    register_actor(ledger, thief, STRANGER)  # entry 4
    append_entries(ledger, [receipt("IN-1")], thief)
    body = {"kind": "actor", "key": STRANGER.kid, "reason": "tablet stolen", "compromised_from_seq": 4}
    append_entries(ledger, [Draft("key_revoked", body)], ACTOR)
    report = checked(ledger, tmp_path / "pack.zip", VKEY)
    assert report.findings == []
    told = f"from 4 on that key {STRANGER.kid}, from 5 on that key {thief.kid} signed"
    assert told in report.skipped["compromised-keys"][0]


def test_a_key_of_the_log_that_was_revoked_hands_no_trust_on(ledger: Ledger, tmp_path: Path) -> None:
    hand_over(ledger, 4)
    append_entries(ledger, [Draft("key_revoked", {"kind": "log", "key": VKEY, "reason": "stolen"})], ACTOR)
    report = checked(ledger, tmp_path / "pack.zip", VKEY)
    (finding,) = report.findings
    assert (finding.check, finding.field) == ("trusted-key", "checkpoint")
    assert "was revoked" in finding.detail


def test_the_key_that_took_over_from_a_revoked_one_is_enough(ledger: Ledger, tmp_path: Path) -> None:
    hand_over(ledger, 4)
    append_entries(ledger, [Draft("key_revoked", {"kind": "log", "key": VKEY, "reason": "stolen"})], ACTOR)
    report = checked(ledger, tmp_path / "pack.zip", SECOND_VKEY)
    assert (report.verdict(), report.findings) == ("verified", [])


def test_a_key_that_is_named_beside_the_right_one_does_no_harm(ledger: Ledger, tmp_path: Path) -> None:
    other = format_vkey(ORIGIN, STRANGER.private_key.public_key())
    assert checked(ledger, tmp_path / "pack.zip", other, VKEY).verdict() == "verified"


@pytest.mark.parametrize(
    ("entry_type", "body"),
    [
        ("actor_key", actor_key_body(make_actor("operator-9", SECOND_ACTOR_KEY), "operator")),
        ("private_erased", {"subject": "party/P-1", "reason": "out of spite"}),
    ],
)
def test_a_key_or_an_erasure_by_a_laboratory_is_found(
    ledger: Ledger, tmp_path: Path, entry_type: str, body: dict[str, Any]
) -> None:
    laboratory = make_actor("lab-1", Ed25519PrivateKey.from_private_bytes(bytes(range(128, 160))))
    register_actor(ledger, laboratory, ACTOR, "laboratory")
    import_signed(ledger, [signed_elsewhere(laboratory, entry_type, body)], keys=None)  # which applies no rules
    report = checked(ledger, tmp_path / "pack.zip", VKEY)
    (found,) = report.findings
    assert (found.check, found.seq, found.field) == ("entry-key", 5, "/stmt/kid")


def test_a_witness_that_the_log_has_revoked_confirms_nothing_of_it(ledger: Ledger, tmp_path: Path) -> None:
    ledger.witnesses = WitnessPolicy(1, WITNESSES[:1])
    ledger.ask_witnesses = lambda note, _path_from: (add_signature_lines(note, [line_of(0, note)]), [])
    cosigned(ledger, make_checkpoint(ledger))
    assert checked(ledger, tmp_path / "before.zip", VKEY).findings == []
    body = {"kind": "witness", "key": format_witness_vkey(WITNESSES[0]), "reason": "their server was taken over"}
    append_entries(ledger, [Draft("key_revoked", body)], ACTOR)
    cosigned(ledger, make_checkpoint(ledger))
    (found,) = checked(ledger, tmp_path / "after.zip", VKEY).findings
    assert found.check == "witness-policy"

"""Certificates and the keys behind them: log keys that are stolen, actors' and issuers' keys that are revoked."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from certificates.asked_log import AskedLog
from certificates.checklist import CHECKPOINT, ENTRIES, NOT_VALID, STATUS, UNDECIDED
from certificates.issue import Issued, issue_certificate
from certificates.key_checks import check_note, checkpoint_dates
from certificates.signer import certificate_sha256
from ledger.errors import BadSignatureError, InputError, LedgerError, RuleError
from ledger.log.checkpoint import make_verifier_key, parse_checkpoint, sign_checkpoint
from ledger.log.cosignature import NO_WITNESSES, WitnessPolicy, add_signature_lines, cosign, make_witness_key
from ledger.log.envelope import parse_envelope
from ledger.log.keyring import Keyring, LogKey, Revocation, format_keyring, single_key
from ledger.log.timestamp import stamped_bytes
from ledger.report import Outcome
from ledger.service.append import register_actor
from ledger.service.context import make_actor
from ledger.service.key_changes import revoke_key
from ledger.service.read import head
from tests.certified_plant import CERTIFIED, CertifiedPlant, embedded, failed_checks, outcome_of, verify
from tests.dishonest_issuer import Fork, seqs_of
from tests.local_tsa import make_local_tsa
from tests.store_samples import ACTOR, LOG_KEY, ORIGIN, STRANGER, VKEY

NEW_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(96, 128)))
WITNESS_KEYS = [Ed25519PrivateKey.from_private_bytes(bytes([number] * 32)) for number in (201, 202, 203)]
WITNESSES = tuple(
    make_witness_key(f"witness.example/{number}", key.public_key()) for number, key in enumerate(WITNESS_KEYS)
)
OLD, NEW = (make_verifier_key(ORIGIN, key.public_key()) for key in (LOG_KEY, NEW_KEY))
REVOKED_AT = datetime(2026, 5, 4, 12, 0, 0, tzinfo=UTC)
STOLEN = Keyring(ORIGIN, (LogKey(OLD, 0, 10_000, Revocation(9_999, "2026-05-04T12:00:00.000000Z")), LogKey(NEW, 9_000)))


def cosigned(note: str, *seconds_before: int) -> str:
    """The note with a line of each witness, the first of them so many seconds before the revocation, and so on."""
    lines = [
        cosign(note, witness.name, key, int(REVOKED_AT.timestamp()) - seconds)
        for witness, key, seconds in zip(WITNESSES, WITNESS_KEYS, seconds_before, strict=False)
    ]
    return add_signature_lines(note, lines)


@pytest.mark.parametrize(
    ("seconds_before", "needed", "accepted"),
    [
        ((), 0, False),  # nobody has dated it
        ((1,), 0, True),
        ((0,), 0, False),  # in the second of revocation
        ((-1,), 0, False),
        ((-1, 1), 1, True),  # the earliest of those who count
        ((1, -1), 2, False),  # two are needed, and the second came too late
        ((1, 2), 2, True),
        ((1, -1, 5), 2, True),
        ((1,), 2, False),
    ],
)
def test_what_a_stolen_log_key_signed_counts_only_if_as_many_witnesses_as_needed_dated_it_before(
    co2: Issued, seconds_before: tuple[int, ...], needed: int, accepted: bool
) -> None:
    note = cosigned(embedded(co2.pdf)[1]["checkpoint"], *seconds_before)
    dated = checkpoint_dates(note, None, WitnessPolicy(needed, WITNESSES), ())
    if accepted:
        assert "before it was revoked" in check_note(note, VKEY, STOLEN, dated=dated)
    else:
        with pytest.raises(BadSignatureError, match="entry 9999 revokes the key"):
            check_note(note, VKEY, STOLEN, dated=dated)


def test_a_line_that_does_not_hold_dates_nothing(co2: Issued) -> None:
    note = embedded(co2.pdf)[1]["checkpoint"]
    elsewhere = note.replace(parse_checkpoint(note)[0].body().split("\n")[1], "7", 1)
    line = cosign(elsewhere, WITNESSES[0].name, WITNESS_KEYS[0], int(REVOKED_AT.timestamp()) - 100)
    assert checkpoint_dates(add_signature_lines(note, [line]), None, WitnessPolicy(0, WITNESSES), ()) == []
    assert checkpoint_dates(note, "no token", WitnessPolicy(0, WITNESSES), (b"no root",)) == []


def test_a_time_stamp_dates_the_line_that_it_is_over_and_no_line_that_is_put_beside_it_later(
    co2: Issued, tmp_path: Path
) -> None:
    """Else anybody has a tree of their own stamped today, with any line in that place, and signs it with the key that
    they steal tomorrow."""
    note = embedded(co2.pdf)[1]["checkpoint"]
    head, line = note.split("\n\n")
    planted = f"{head}\n\n— {ORIGIN} AAAAAAAA\n{line}"
    tsa = make_local_tsa(tmp_path)
    tomorrow = f"{datetime.now(UTC) + timedelta(days=1):%Y-%m-%dT%H:%M:%S}.000000Z"
    stolen = Keyring(ORIGIN, (LogKey(OLD, 0, 10_000, Revocation(9_999, tomorrow)), LogKey(NEW, 9_000)))
    for text, accepted in ((note, True), (planted, False)):
        token = b64encode(tsa.stamp(stamped_bytes(text))).decode()
        dated = checkpoint_dates(text, token, NO_WITNESSES, (tsa.root,))
        assert len(dated) == 1
        if accepted:
            assert "before it was revoked" in check_note(text, VKEY, stolen, dated=dated)
        else:
            with pytest.raises(BadSignatureError):
                check_note(text, VKEY, stolen, dated=dated)


def test_a_certificate_under_a_stolen_key_does_not_pass_for_who_has_the_history(
    plant: CertifiedPlant, co2: Issued
) -> None:
    assert verify(co2.pdf, plant.trust).ok
    trust = replace(plant.trust, log_keys=(format_keyring(STOLEN),))
    verification = verify(co2.pdf, trust)
    assert verification.verdict == NOT_VALID
    assert failed_checks(verification) == [CHECKPOINT]


def test_the_note_is_signed_by_the_key_that_the_evidence_states_and_by_a_trusted_one(co2: Issued) -> None:
    note = embedded(co2.pdf)[1]["checkpoint"]
    checkpoint, _ = parse_checkpoint(note)
    both = sign_checkpoint(checkpoint, LOG_KEY, NEW_KEY)
    ring = Keyring(ORIGIN, (LogKey(OLD), LogKey(NEW)))
    texts = [key.text for key in ring.keys]
    for stated in texts:
        assert "trusted keys" in check_note(both, stated, ring)
    with pytest.raises(LedgerError, match="a key that signed the checkpoint"):
        check_note(note, texts[1], ring)
    with pytest.raises(LedgerError, match="a key that signed the checkpoint"):
        check_note(both, texts[1], single_key(OLD))  # signed by it, as far as this verifier can tell by nobody it knows


def test_two_histories_of_one_log_and_a_key_that_is_not_in_the_history_are_no_trust_at_all(
    plant: CertifiedPlant, co2: Issued
) -> None:
    for changes in (
        {"log_keys": (format_keyring(STOLEN), format_keyring(single_key(OLD)))},
        {"log_keys": (format_keyring(single_key(NEW)),)},
        {"log_keys": ("{}",)},
    ):
        with pytest.raises(InputError):
            verify(co2.pdf, replace(plant.trust, **changes))


# Actors and issuers


def test_a_later_revocation_of_an_actor_makes_the_status_fail_where_the_key_was_compromised_by_then(
    own_plant: CertifiedPlant,
) -> None:
    issued = own_plant.issue(kind="provenance")
    ledger = own_plant.ledger
    register_actor(ledger, STRANGER, ACTOR, "operator")
    last = head(ledger).tree_size - 1
    log = AskedLog(ledger)
    assert verify(issued.pdf, own_plant.trust, log=log).ok
    # Compromised only after the certificate: it stands.
    revoke_key(ledger, "actor", ACTOR.kid, "laptop stolen", STRANGER, last)
    assert verify(issued.pdf, own_plant.trust, log=log).ok
    assert outcome_of(verify(issued.pdf, own_plant.trust, log=log), STATUS) is Outcome.PASSED


def test_entries_by_a_key_that_was_compromised_by_then_make_no_certificate_and_spoil_one(
    own_plant: CertifiedPlant,
) -> None:
    issued = own_plant.issue(kind="provenance")
    ledger = own_plant.ledger
    register_actor(ledger, STRANGER, ACTOR, "operator")
    first = embedded(issued.pdf)[1]["entries"][-1]["seq"]
    revoked = revoke_key(ledger, "actor", ACTOR.kid, "laptop stolen", STRANGER, first)
    verification = verify(issued.pdf, own_plant.trust, log=AskedLog(ledger))
    assert not verification.ok
    assert failed_checks(verification) == [STATUS]
    status = next(check for check in verification.checks if check.name == STATUS)
    assert f"entry {revoked.seq} revokes the key as compromised by then" in status.detail
    # Without the log nobody can know.
    assert verify(issued.pdf, own_plant.trust).ok
    with pytest.raises(RuleError, match="compromised by then"):
        issue_certificate(ledger, CERTIFIED, "co2", own_plant.authority.issuer, STRANGER)


def test_no_certificate_rests_on_entries_by_a_key_that_a_thief_registered(own_plant: CertifiedPlant) -> None:
    ledger = own_plant.ledger
    thief = make_actor("operator-9", Ed25519PrivateKey.generate())
    register_actor(ledger, STRANGER, ACTOR, "operator")
    taken = register_actor(ledger, thief, STRANGER, "operator")
    issued = issue_certificate(ledger, CERTIFIED, "co2", own_plant.authority.issuer, thief)
    assert verify(issued.pdf, own_plant.trust, log=AskedLog(ledger)).ok
    revoke_key(ledger, "actor", STRANGER.kid, "laptop stolen", ACTOR, taken.seq)
    verification = verify(issued.pdf, own_plant.trust, log=AskedLog(ledger))
    assert failed_checks(verification) == [STATUS]
    (status,) = [check for check in verification.checks if check.name == STATUS]
    assert f"entry {issued.seq} may be by somebody else: a key that was compromised by then" in status.detail
    with pytest.raises(RuleError, match="may be by somebody else"):
        issue_certificate(ledger, CERTIFIED, "provenance", own_plant.authority.issuer, thief)


def test_what_a_thief_said_of_keys_spoils_no_certificate_that_rests_on_nothing_else_of_theirs(
    own_plant: CertifiedPlant,
) -> None:
    ledger = own_plant.ledger
    register_actor(ledger, STRANGER, ACTOR, "operator")
    taken = register_actor(ledger, make_actor("operator-9", Ed25519PrivateKey.generate()), STRANGER, "operator")
    revoke_key(ledger, "actor", STRANGER.kid, "laptop stolen", ACTOR, taken.seq)
    issued = own_plant.issue(kind="co2")
    verification = verify(issued.pdf, own_plant.trust, log=AskedLog(ledger))
    assert outcome_of(verification, ENTRIES) is Outcome.PASSED
    assert outcome_of(verification, STATUS) is Outcome.PASSED


def test_an_issuer_that_is_revoked_issues_no_more_and_what_it_issued_before_stands_unless_compromised(
    own_plant: CertifiedPlant,
) -> None:
    issued = own_plant.issue(kind="provenance")
    signer = certificate_sha256(own_plant.authority.issuer.certificate)
    ledger = own_plant.ledger
    revoke_key(ledger, "issuer", signer, "card lost", ACTOR)
    assert verify(issued.pdf, own_plant.trust, log=AskedLog(ledger)).ok
    with pytest.raises(RuleError, match="an issuer whose key is not revoked"):
        own_plant.issue(kind="co2")


def test_a_certificate_issued_after_its_issuer_was_compromised_fails_with_the_log_at_hand(
    own_plant: CertifiedPlant,
) -> None:
    issued = own_plant.issue(kind="provenance")
    signer = certificate_sha256(own_plant.authority.issuer.certificate)
    revoke_key(own_plant.ledger, "issuer", signer, "card stolen", ACTOR, issued.seq)
    verification = verify(issued.pdf, own_plant.trust, log=AskedLog(own_plant.ledger))
    assert failed_checks(verification) == [STATUS]


def test_a_dishonest_issuer_who_certifies_on_suspect_entries_gets_no_good_verdict(own_plant: CertifiedPlant) -> None:
    register_actor(own_plant.ledger, STRANGER, ACTOR, "operator")
    issued = own_plant.issue(kind="provenance")
    seqs = seqs_of(issued)
    for changes, suspect in (({}, False), ({"compromised_from_seq": seqs[-1]}, True)):
        fork = Fork(own_plant, size=issued.seq)
        body = {"kind": "actor", "key": ACTOR.kid, "reason": "laptop stolen", **changes}
        revocation = fork.append("key_revoked", body, actor=STRANGER)
        basis = len(fork.entries)
        # The time of issue fits the log's clock, whatever else does not.
        issued_at = parse_envelope(fork.entries[-1]).recv
        content = fork.content(
            issued, [*seqs, revocation], tree_size=basis, issued_at=f"{issued_at[:19]}Z", certificate_id=f"C-{suspect}"
        )
        pdf = fork.certificate(issued, content, [*seqs, revocation], actor=STRANGER)
        verification = verify(pdf, own_plant.trust)
        assert failed_checks(verification) == []
        assert outcome_of(verification, ENTRIES) is (Outcome.NOT_CHECKED if suspect else Outcome.PASSED)
        assert (verification.verdict == UNDECIDED) is suspect


def test_an_issue_for_an_issuer_that_an_entry_in_the_evidence_revokes_is_not_valid(own_plant: CertifiedPlant) -> None:
    issued = own_plant.issue(kind="provenance")
    seqs = seqs_of(issued)
    fork = Fork(own_plant, size=issued.seq)
    signer = certificate_sha256(own_plant.authority.issuer.certificate)
    revocation = fork.append("key_revoked", {"kind": "issuer", "key": signer, "reason": "card lost"})
    issued_at = parse_envelope(fork.entries[-1]).recv
    content = fork.content(
        issued, [*seqs, revocation], tree_size=len(fork.entries), issued_at=f"{issued_at[:19]}Z", certificate_id="C-1"
    )
    verification = verify(fork.certificate(issued, content, [*seqs, revocation]), own_plant.trust)
    assert failed_checks(verification) == [ENTRIES]

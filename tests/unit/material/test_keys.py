"""What the entries about keys add up to: who may sign which entry, judged by position."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ledger.errors import DuplicateIdError, InputError, LedgerError, RuleError, UnknownIdError
from ledger.log.checkpoint import format_vkey, parse_vkey
from ledger.log.cosignature import format_witness_vkey
from ledger.log.keyring import MAX_KEYS, LogKey, Revocation, sign_handover, single_key
from ledger.log.statement import key_id
from ledger.material.batch import fold_plant
from ledger.material.chemistry import atomic_masses
from ledger.material.entries import ActorKey, CertificateIssued, parse_entry
from ledger.material.fields import Body, parse_body
from ledger.material.key_entries import ActorKeyRotated, KeyRevoked, LogKeyAdded, LogKeyRetired
from ledger.material.keys import NO_KEYS, Keys, actor_keys, followed, possession_bytes
from ledger.material.private import PrivateErased
from tests.log_samples import ORIGIN
from tests.witness_samples import WITNESSES


def private(number: int) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(bytes([number] * 32))


def kid(number: int) -> str:
    return key_id(private(number).public_key())


def raw(number: int) -> str:
    return base64.b64encode(private(number).public_key().public_bytes_raw()).decode()


def vkey(number: int, origin: str = ORIGIN) -> str:
    return format_vkey(origin, private(number).public_key())


def text(signature: bytes) -> str:
    return base64.b64encode(signature).decode()


def registered(number: int, actor: str = "op-1", role: str = "operator") -> ActorKey:
    return parse_body(ActorKey, {"kid": kid(number), "public_key": raw(number), "actor": actor, "role": role})


def rotated(old: int, new: int, **changes: Any) -> ActorKeyRotated:
    proof = text(private(new).sign(possession_bytes("op-1", kid(old), kid(new))))
    body = {"old_kid": kid(old), "kid": kid(new), "public_key": raw(new), "actor": "op-1", "proof": proof}
    return parse_body(ActorKeyRotated, body | changes)


def revoked(key: str, kind: str = "actor", **changes: Any) -> KeyRevoked:
    return parse_body(KeyRevoked, {"kind": kind, "key": key, "reason": "laptop stolen", **changes})


def added(old: int, new: int, seq: int, **changes: Any) -> LogKeyAdded:
    """The entry at seq in which log key `old` hands over to `new`."""
    signatures = sign_handover(ORIGIN, private(old), private(new), seq + 1)
    body = {
        "vkey": vkey(new),
        "old_vkey": vkey(old),
        "from_size": seq + 1,
        "old_signature": text(signatures[0]),
        "new_signature": text(signatures[1]),
    }
    return parse_body(LogKeyAdded, body | changes)


def retired(number: int, seq: int) -> LogKeyRetired:
    return parse_body(LogKeyRetired, {"vkey": vkey(number), "to_size": seq + 1})


def may_sign(keys: Keys, seq: int, number: int, body: Body | None = None, actor: str = "op-1") -> bool:
    try:
        return keys.signing_key(seq, kid(number), actor, body).kid == kid(number)
    except RuleError:
        return False


ERASURE = parse_body(PrivateErased, {"subject": "party/SUP-1", "reason": "asked for"})
ROTATED = actor_keys([(0, registered(1)), (3, rotated(1, 2))])
# Key 1 registers itself at 0 and key 2 (actor op-2) at 2; entry 8 revokes key 2, which others may have held from 5 on.
REVOKED = actor_keys([(0, registered(1)), (2, registered(2, "op-2")), (8, revoked(kid(2), compromised_from_seq=5))])


@pytest.mark.parametrize(
    ("seq", "first", "second"),
    [(0, True, False), (1, True, False), (3, True, False), (4, False, True), (2**53 - 1, False, True)],
)
def test_after_a_rotation_the_new_key_signs_and_the_old_one_no_more(seq: int, first: bool, second: bool) -> None:
    assert may_sign(ROTATED, seq, 1) is first
    assert may_sign(ROTATED, seq, 2) is second


@pytest.mark.parametrize(
    ("seq", "accepted", "flagged"),
    [
        (1, False, False),  # before its registration
        (2, False, False),  # the entry that registers it, which another key signs
        (3, True, False),
        (4, True, False),
        (5, True, True),  # from here on somebody else may have held it
        (7, True, True),
        (8, True, True),  # the revocation itself
        (9, False, True),
        (2**53 - 1, False, True),
    ],
)
def test_a_revoked_key_signs_nothing_after_its_revocation_and_is_flagged_before(
    seq: int, accepted: bool, flagged: bool
) -> None:
    assert may_sign(REVOKED, seq, 2, actor="op-2") is accepted
    assert REVOKED.is_flagged(seq, kid(2)) is flagged
    assert may_sign(REVOKED, seq, 1)
    assert not REVOKED.is_flagged(seq, kid(1))


def test_a_revocation_that_knows_of_no_misuse_flags_nothing() -> None:
    keys = actor_keys([(0, registered(1)), (1, revoked(kid(1)))])
    assert may_sign(keys, 1, 1)
    assert not may_sign(keys, 2, 1)
    assert not keys.is_flagged(1, kid(1))


def test_asked_before_an_entry_or_at_the_end_of_the_log_the_answer_is_the_same() -> None:
    entries: list[tuple[int, Body]] = [
        (0, registered(1)), (2, registered(2, "op-2")), (4, rotated(1, 3)), (8, revoked(kid(2))), (9, registered(4)),
    ]  # fmt: skip
    end = actor_keys(entries)
    bodies = dict(entries)
    for seq in range(12):
        before = actor_keys([entry for entry in entries if entry[0] < seq])
        for number, actor in ((1, "op-1"), (2, "op-2"), (3, "op-1"), (4, "op-1"), (5, "op-1")):
            body = bodies.get(seq)
            if seq not in (4, 8, 9) or number == 1:  # who may sign an entry about keys depends on the entry, too
                assert may_sign(before, seq, number, body, actor) == may_sign(end, seq, number, body, actor), seq


def test_only_the_first_entry_registers_the_key_that_signs_it() -> None:
    assert may_sign(NO_KEYS, 0, 1, registered(1))
    assert not may_sign(NO_KEYS, 1, 1, registered(1))
    assert not may_sign(NO_KEYS, 0, 2, registered(1))
    assert not may_sign(NO_KEYS, 0, 1, registered(1), actor="op-2")
    assert not may_sign(NO_KEYS, 0, 1, revoked(kid(1)))
    assert not may_sign(actor_keys([(0, registered(1))]), 0, 2, registered(2))


def test_a_key_speaks_for_its_own_actor_only() -> None:
    assert not may_sign(ROTATED, 2, 1, actor="op-2")


@pytest.mark.parametrize("role", ["operator", "laboratory", "sustainability", "issuer"])
def test_only_an_operator_states_what_becomes_of_the_logs_keys_and_of_others(role: str) -> None:
    keys = actor_keys([(0, registered(1)), (1, registered(2, "op-2", role))])
    stated = [added(7, 8, 5), retired(7, 5), revoked(kid(1)), revoked(vkey(7), "log"), revoked("ab" * 32, "issuer")]
    for body in (*stated, registered(3, "op-3"), registered(3, "op-2", "laboratory"), ERASURE):
        assert may_sign(keys, 5, 2, body, "op-2") is (role == "operator")
    assert may_sign(keys, 5, 2, revoked(kid(2)), "op-2"), "anybody may give up their own key"
    assert may_sign(NO_KEYS, 0, 2, registered(2, "op-2", role), "op-2"), "the first key of a log registers itself"


def test_a_rotation_is_signed_by_the_key_that_it_ends() -> None:
    keys = actor_keys([(0, registered(1)), (1, registered(2))])
    assert may_sign(keys, 5, 1, rotated(1, 3))
    assert not may_sign(keys, 5, 2, rotated(1, 3))


def wrong_rotations() -> list[tuple[Body, type[LedgerError], str]]:
    return [
        (rotated(1, 3, old_kid=kid(9)), UnknownIdError, "/old_kid"),
        (rotated(1, 3, actor="op-2"), UnknownIdError, "/old_kid"),
        (rotated(1, 3, kid=kid(4)), InputError, "/kid"),
        (rotated(1, 3, public_key=raw(4)), InputError, "/kid"),
        (rotated(1, 2), DuplicateIdError, "/kid"),
        (rotated(1, 1), DuplicateIdError, "/kid"),
        (rotated(1, 3, proof=rotated(1, 4).proof), InputError, "/proof"),
        (rotated(1, 3, proof=rotated(2, 3).proof), InputError, "/proof"),
    ]


@pytest.mark.parametrize(("body", "kind", "field"), wrong_rotations())
def test_a_rotation_that_does_not_hold_is_refused_at_the_field(body: Body, kind: type[LedgerError], field: str) -> None:
    keys = actor_keys([(0, registered(1)), (1, registered(2))])
    with pytest.raises(kind) as caught:
        keys.with_entry(2, body)
    assert caught.value.problems[0].field == field


@pytest.mark.parametrize("ending", [rotated(1, 2), revoked(kid(1))])
def test_a_key_that_has_ended_is_neither_rotated_nor_registered_again(ending: Body) -> None:
    keys = actor_keys([(0, registered(1)), (1, ending)])
    with pytest.raises(RuleError):
        keys.with_entry(2, rotated(1, 3))
    with pytest.raises(DuplicateIdError):
        keys.with_entry(2, registered(1))


def test_a_key_that_was_rotated_can_still_be_revoked_and_flagged() -> None:
    keys = ROTATED.with_entry(9, revoked(kid(1), compromised_from_seq=2))
    assert may_sign(keys, 3, 1)
    assert not may_sign(keys, 4, 1)
    assert [keys.is_flagged(seq, kid(1)) for seq in (1, 2, 3)] == [False, True, True]


def test_a_key_that_a_flagged_entry_registers_is_flagged_from_its_first_entry_on() -> None:
    # Key 1 makes key 2 at entry 2; a thief has it from 4 on: registers key 3 at 5, rotates to key 4 at 6; key 3
    # registers key 5 at 7. Key 2 revokes key 1 at 9 and registers key 6 at 10.
    signers = {2: 1, 5: 1, 6: 1, 7: 3, 10: 2}
    keys = actor_keys(
        [
            (0, registered(1)), (2, registered(2, "op-2")), (5, registered(3)), (6, rotated(1, 4)), (7, registered(5)),
            (9, revoked(kid(1), compromised_from_seq=4)), (10, registered(6)),
        ]
    )  # fmt: skip
    asked: list[int] = []

    def signer_of(seq: int) -> str:
        asked.append(seq)
        return kid(signers[seq])

    heirs = keys.with_heirs(signer_of)
    assert [number for number in range(1, 7) if heirs.is_flagged(11, kid(number))] == [1, 3, 4, 5]
    assert [heirs.is_flagged(seq, kid(5)) for seq in (7, 8)] == [False, True]
    assert asked == [5, 6, 7, 10], "only of those registered since"
    assert keys.with_heirs(lambda _seq: None) == keys
    assert ROTATED.with_heirs(signer_of) is ROTATED


def test_a_revocation_of_what_is_unknown_or_revoked_or_from_a_later_entry_on_is_refused() -> None:
    for body, kind in (
        (revoked(kid(9)), UnknownIdError),
        (revoked(kid(2)), DuplicateIdError),
        (revoked(kid(1), compromised_from_seq=10), RuleError),
    ):
        with pytest.raises(kind):
            REVOKED.with_entry(9, body)


@pytest.mark.parametrize(
    ("kind", "key"),
    [
        ("actor", vkey(1)), ("actor", kid(1).upper()), ("log", kid(1)), ("log", vkey(1)[:-2] + "A="),
        ("issuer", kid(1)), ("issuer", "AB" * 32), ("witness", "x"), ("witness", vkey(1)), ("tsa", kid(1)),
    ],
)  # fmt: skip
def test_a_revocation_names_the_key_as_its_kind_is_named(kind: str, key: str) -> None:
    with pytest.raises(InputError):
        revoked(key, kind)


def test_a_witness_counts_for_nothing_under_a_checkpoint_that_holds_its_revocation() -> None:
    keys = NO_KEYS.with_entry(9, revoked(format_witness_vkey(WITNESSES[1]), "witness"))
    assert keys.revoked_witnesses(WITNESSES, 9) == []
    assert keys.revoked_witnesses(WITNESSES, 10) == [WITNESSES[1]]
    assert NO_KEYS.revoked_witnesses(WITNESSES, 10) == []


# The log's keys


def test_log_keys_hand_over_retire_and_are_revoked_by_place() -> None:
    keys = actor_keys([(0, registered(1)), (10, added(7, 8, 10))])
    assert keys.log_ranges == {vkey(7): (0, None), vkey(8): (11, None)}
    keys = keys.with_entry(20, retired(7, 20))
    assert keys.log_ranges == {vkey(7): (0, 21), vkey(8): (11, None)}
    keys = keys.with_entry(30, added(8, 9, 30)).with_entry(31, revoked(vkey(8), "log"))
    assert keys.log_ranges == {vkey(7): (0, 21), vkey(8): (11, 32), vkey(9): (31, None)}
    assert keys.seqs == (0, 10, 20, 30, 31)
    keys = keys.with_entry(40, revoked(vkey(7), "log"))
    assert keys.log_ranges[vkey(7)] == (0, 21)


def test_a_log_takes_no_key_more_than_a_history_can_hold() -> None:
    keys = NO_KEYS
    for number in range(1, MAX_KEYS):  # from key 1 to 2, ... to the 64th
        keys = keys.with_entry(number, added(number, number + 1, number))
    assert len(keys.log_ranges) == MAX_KEYS
    with pytest.raises(RuleError, match="at most 64 keys"):
        keys.with_entry(MAX_KEYS, added(MAX_KEYS, MAX_KEYS + 1, MAX_KEYS))


def overlap() -> Keys:
    return actor_keys([(0, registered(1)), (10, added(7, 8, 10))])


@pytest.mark.parametrize(
    ("keys", "seq", "body", "field"),
    [
        (overlap(), 20, added(8, 9, 19), "/from_size"),
        (overlap(), 20, added(8, 7, 20), "/vkey"),
        (overlap(), 20, added(6, 9, 20), "/old_vkey"),
        (overlap().with_entry(15, retired(7, 15)), 20, added(7, 9, 20), "/old_vkey"),
        (overlap().with_entry(15, revoked(vkey(7), "log")), 20, added(7, 9, 20), "/old_vkey"),
        (overlap(), 20, added(8, 9, 20, new_signature=added(8, 6, 20).new_signature), "/old_signature"),
        (overlap(), 20, added(8, 9, 20, old_signature=added(7, 9, 20).old_signature), "/old_signature"),
        (NO_KEYS.with_entry(3, revoked(vkey(9), "log")), 20, added(8, 9, 20), "/vkey"),
        (NO_KEYS.with_entry(3, revoked(vkey(8), "log")), 20, added(8, 9, 20), "/old_vkey"),
        (overlap(), 20, retired(7, 19), "/to_size"),
        (overlap(), 20, retired(6, 20), "/vkey"),
        (NO_KEYS, 20, retired(7, 20), "/vkey"),
        (overlap().with_entry(15, retired(7, 15)), 20, retired(7, 20), "/vkey"),
        (overlap().with_entry(15, retired(7, 15)), 20, retired(8, 20), "/vkey"),
    ],
)
def test_an_entry_about_the_logs_keys_that_does_not_fit_is_not_taken(
    keys: Keys, seq: int, body: Body, field: str
) -> None:
    with pytest.raises(LedgerError) as caught:
        keys.with_entry(seq, body)
    assert caught.value.problems[0].field == field


@pytest.mark.parametrize("changes", [{"vkey": vkey(7)}, {"vkey": vkey(8, "example.com/other")}, {"vkey": "x"}])
def test_a_key_is_added_beside_another_one_of_the_same_log(changes: dict[str, str]) -> None:
    with pytest.raises(InputError) as caught:
        added(7, 8, 10, **changes)
    assert caught.value.problems[0].field == "/vkey"


def test_a_trusted_history_follows_the_entries_from_the_key_that_it_knows() -> None:
    entries = [
        (10, "2026-05-04T08:00:10.000000Z", added(7, 8, 10)),
        (20, "2026-05-04T08:00:20.000000Z", retired(7, 20)),
        (25, "2026-05-04T08:00:25.000000Z", revoked(vkey(5), "log")),  # a key that nobody trusts
        (30, "2026-05-04T08:00:30.000000Z", revoked(vkey(7), "log")),
    ]
    old, new = parse_vkey(vkey(7)), parse_vkey(vkey(8))
    ring = followed(single_key(old), entries)
    assert ring.keys == (LogKey(old, 0, 21, Revocation(30, "2026-05-04T08:00:30.000000Z")), LogKey(new, 11))
    assert followed(ring, entries) == ring, "what the history knows already it takes again"
    with pytest.raises(RuleError):
        followed(single_key(parse_vkey(vkey(6))), entries)


# In the plant


def test_the_plant_keeps_the_keys_and_takes_no_certificate_of_a_revoked_issuer() -> None:
    masses = atomic_masses()
    entries: list[tuple[int, str, Body]] = [
        (0, "actor_key", registered(1)),
        (1, "party", parse_entry("party", {"party_id": "P", "roles": ["operator"], "country": "GB", "name": "P"})),
        (2, "site", parse_entry("site", {"site_id": "S", "name": "S", "country": "GB", "operator_id": "P"})),
        (3, "receipt", parse_entry("receipt", LOT)),
        (4, "key_revoked", revoked("cd" * 32, "issuer")),
    ]
    plant = fold_plant(entries, masses)
    assert plant.keys.seqs == (0, 4)
    assert fold_plant([*entries, (5, "certificate_issued", issued("ab" * 32))], masses).certificates
    with pytest.raises(RuleError, match="an issuer whose key is not revoked; entry 4 does"):
        fold_plant([*entries, (5, "certificate_issued", issued("cd" * 32))], masses)


LOT = {
    "batch_id": "B",
    "site_id": "S",
    "description": "magnets",
    "form": "magnets",
    "consumer_class": "post-consumer",
    "received_on": "2026-05-04",
    "dry_mass_kg": "100.0",
}


def issued(signer: str) -> CertificateIssued:
    return parse_body(
        CertificateIssued,
        {
            "certificate_id": "C-1",
            "kind": "provenance",
            "batch_id": "B",
            "content_sha256": "00" * 32,
            "basis_tree_size": 5,
            "signer_sha256": signer,
        },
    )

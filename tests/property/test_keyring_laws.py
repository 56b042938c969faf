"""Laws of a log's key history: its file is read back as written, hostile text is refused, ranges decide."""

from __future__ import annotations

from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import BadSignatureError, InputError
from ledger.log.checkpoint import Checkpoint, make_verifier_key, sign_checkpoint
from ledger.log.keyring import Keyring, LogKey, Revocation, format_keyring, parse_keyring
from tests.log_samples import ORIGIN

PRIVATE_KEYS = [Ed25519PrivateKey.from_private_bytes(bytes([number] * 32)) for number in range(6)]
VKEYS = [make_verifier_key(ORIGIN, key.public_key()) for key in PRIVATE_KEYS]

sizes = st.integers(0, 40)
revocations = st.none() | st.builds(
    Revocation, st.integers(0, 40), st.datetimes().map(lambda moment: moment.isoformat(timespec="microseconds") + "Z")
)


@st.composite
def rings(draw: Any) -> Keyring:
    starts = sorted(draw(st.lists(sizes, min_size=1, max_size=len(VKEYS))))
    keys = []
    for vkey, start in zip(VKEYS, starts, strict=False):
        end = draw(st.none() | st.integers(start + 1, start + 20))
        keys.append(LogKey(vkey, start, end, draw(revocations)))
    return Keyring(ORIGIN, tuple(keys))


@given(rings())
def test_reading_what_was_written_gives_the_same_history(ring: Keyring) -> None:
    assert parse_keyring(format_keyring(ring)) == ring


@given(rings(), st.data())
def test_a_changed_character_gives_another_history_or_is_refused(ring: Keyring, data: st.DataObject) -> None:
    text = format_keyring(ring)
    at = data.draw(st.integers(0, len(text) - 1))
    character = data.draw(st.characters(max_codepoint=0x2FF))
    changed = text[:at] + character + text[at + 1 :]
    try:
        read = parse_keyring(changed)
    except InputError:
        return
    # White space is free; everything else that can be read says something else.
    assert read != ring or "".join(changed.split()) == "".join(text.split())


@given(st.text() | st.recursive(st.none() | st.integers() | st.text(max_size=5), st.lists).map(str))
def test_any_other_text_is_refused_and_nothing_else_happens(text: str) -> None:
    try:
        parse_keyring(text)
    except InputError:
        return
    raise AssertionError(text)


@given(rings(), sizes, st.sets(st.integers(0, len(VKEYS) - 1), min_size=1))
def test_a_note_is_accepted_exactly_if_a_signing_key_has_the_size_in_its_range(
    ring: Keyring, size: int, signers: set[int]
) -> None:
    note = sign_checkpoint(Checkpoint(ORIGIN, size + 1, bytes(32)), *(PRIVATE_KEYS[number] for number in signers))
    expected = [
        key for key in ring.keys
        if VKEYS.index(key.vkey) in signers and key.from_size <= size + 1 < (99 if key.to_size is None else key.to_size)
    ]  # fmt: skip
    try:
        found = list(ring.signers(note).keys)
    except BadSignatureError:
        found = []
    assert found == expected
    try:
        undated = list(ring.verify(note).keys)
    except BadSignatureError:
        undated = []
    assert undated == [key for key in expected if key.revoked is None]

"""Laws of private values: what was sealed is what is opened, and no byte of it or of its place can change unseen."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import VerificationError
from ledger.material.private import ErasedFields, PrivateErased, make_erasures, subject_of
from ledger.store.vault import DataKey, PrivateField, SealedField, seal, unseal

ORIGIN = "example.com/site-1"
SECRET = DataKey(b"\x01" * 8, bytes(range(32)))
NONCE = b"\x07" * 12

texts = st.text(st.characters(codec="utf-8"), max_size=200)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | texts,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True), inner)
    ),
    max_leaves=8,
)
privates = st.builds(
    PrivateField,
    seq=st.integers(0, 2**53 - 1),
    field=st.sampled_from(["price", "name"]),
    scope=st.sampled_from(["batch/IN-1", "entry/3"]),
    salt=st.binary(min_size=32, max_size=32),
    value=values,
)


@given(privates)
def test_what_is_sealed_is_what_is_opened(private: PrivateField) -> None:
    sealed = seal(SECRET, NONCE, ORIGIN, private)
    assert unseal(SECRET, ORIGIN, sealed) == private
    # 1 version, 8 key id, 12 nonce, 32 salt, value in blocks of 64, 16 tag.
    assert (len(sealed.sealed) - 69) % 64 == 0


@given(privates, st.data())
def test_no_byte_of_what_is_sealed_changes_unseen(private: PrivateField, data: st.DataObject) -> None:
    sealed = seal(SECRET, NONCE, ORIGIN, private)
    position = data.draw(st.integers(0, len(sealed.sealed) - 1))
    bit = 1 << data.draw(st.integers(0, 7))
    changed = bytearray(sealed.sealed)
    changed[position] ^= bit
    with pytest.raises(VerificationError):
        unseal(SECRET, ORIGIN, SealedField(sealed.seq, sealed.field, sealed.scope, bytes(changed)))


@given(privates, st.data())
def test_no_sealed_value_is_cut_or_grown_unseen(private: PrivateField, data: st.DataObject) -> None:
    sealed = seal(SECRET, NONCE, ORIGIN, private)
    cut = sealed.sealed[: data.draw(st.integers(0, len(sealed.sealed) - 1))]
    for other in (cut, sealed.sealed + b"\0"):
        with pytest.raises(VerificationError):
            unseal(SECRET, ORIGIN, SealedField(sealed.seq, sealed.field, sealed.scope, other))


@given(privates, st.integers(0, 2**63 - 1), texts, texts, texts)
def test_no_sealed_value_is_moved_unseen(private: PrivateField, seq: int, field: str, scope: str, origin: str) -> None:
    sealed = seal(SECRET, NONCE, ORIGIN, private)
    moved = [
        (origin, sealed),
        (ORIGIN, SealedField(seq, sealed.field, sealed.scope, sealed.sealed)),
        (ORIGIN, SealedField(sealed.seq, field, sealed.scope, sealed.sealed)),
        (ORIGIN, SealedField(sealed.seq, sealed.field, scope, sealed.sealed)),
    ]
    for where, row in moved:
        if (where, row) != (ORIGIN, sealed):
            with pytest.raises(VerificationError):
                unseal(SECRET, where, row)


@given(
    st.lists(st.tuples(st.sampled_from(["batch/A", "batch/B"]), st.sampled_from(["price", "name"])), max_size=12),
    st.data(),
)
def test_an_erasure_reaches_back_and_never_forward(fields: list[tuple[str, str]], data: st.DataObject) -> None:
    # Entries of one private field each; among them erasures, by subject or by field.
    log: list[tuple[str, str] | PrivateErased] = []
    for subject, name in fields:
        log.append((subject, name))
        if data.draw(st.booleans()):
            whole = data.draw(st.booleans())
            seq = data.draw(st.integers(0, len(log) - 1))
            log.append(
                PrivateErased(subject=subject, reason="x")
                if whole
                else PrivateErased(entries=(ErasedFields(seq=seq, fields=("price",)),), reason="x")
            )
    bodies = [(seq, one) for seq, one in enumerate(log) if isinstance(one, PrivateErased)]
    erasures = make_erasures(bodies)
    for seq, one in enumerate(log):
        if isinstance(one, PrivateErased):
            continue
        subject, name = one
        # The slow way: is there a later erasure that names it?
        expected = any(
            later > seq
            and (body.subject == subject or any(item.seq == seq and name in item.fields for item in body.entries))
            for later, body in bodies
        )
        assert (erasures.erased_by(seq, name, subject) is not None) is expected


@given(st.sampled_from(["batch_id", "party_id", "step_id", "site_id", "actor", "other"]), st.integers(0, 99))
def test_a_subject_depends_on_the_body_alone_else_on_the_entry(name: str, seq: int) -> None:
    subject = subject_of({name: "X-1"}, seq)
    assert subject == (f"entry/{seq}" if name == "other" else f"{name.removesuffix('_id')}/X-1")
    assert PrivateErased(subject=subject, reason="x").subject == subject

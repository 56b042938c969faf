"""Statements on their way into a log: what is read is what was signed, and a content has one hash."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import BadSignatureError, InputError
from ledger.log.canonical import canonical_bytes
from ledger.log.signed import SignedStatement, check_form, content_sha256, is_client_id, make_signed, verify_signature
from ledger.log.statement import commitment, sign_statement, verify_statement_signature
from tests.log_samples import ACTOR_KEY, OTHER_KEY, make_statement

KEYS = st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True)
TEXT = st.text(alphabet='"\\:,{}[]aZ_01.é\n')
DOCUMENTS: Any = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=15,
)
BODIES = st.dictionaries(KEYS, DOCUMENTS, max_size=5)
HASHES = st.binary(min_size=32, max_size=32).map(bytes.hex)
ACTORS = st.from_regex(r"[!-~]{1,20}", fullmatch=True)  # quotes and backslashes too
SALT = bytes(32)


@given(BODIES, ACTORS, st.dictionaries(KEYS, HASHES, max_size=3), st.lists(HASHES, max_size=2))
def test_a_signed_statement_is_read_back_and_its_content_hash_is_that_of_the_statement(
    body: dict[str, Any], actor: str, commit: dict[str, str], refs: list[str]
) -> None:
    statement = make_statement(1, body=body, actor=actor, commit=commit, refs=tuple(refs))
    made = make_signed(statement, ACTOR_KEY)
    read = check_form(SignedStatement(made.statement_bytes, made.signature))
    assert read == made
    assert read.statement == statement
    assert made.content_sha256 == content_sha256(statement)
    assert made.signature == sign_statement(statement, ACTOR_KEY)
    verify_signature(read, ACTOR_KEY.public_key())
    verify_statement_signature(statement, read.signature, ACTOR_KEY.public_key())


@given(BODIES, BODIES)
def test_the_content_hash_tells_bodies_apart_and_not_ids_and_times(one: dict[str, Any], other: dict[str, Any]) -> None:
    same = canonical_bytes(one) == canonical_bytes(other)
    first = make_statement(1, body=one)
    second = make_statement(2, body=other)
    assert (content_sha256(first) == content_sha256(second)) is same
    assert content_sha256(first) == content_sha256(replace(first, id=second.id, at=second.at, kid="ab" * 8))


@pytest.mark.parametrize(
    "change",
    [{"type": "other"}, {"actor": "another"}, {"refs": ()}, {"commit": {"other": "ab" * 32}}, {"commit": {}}],
    ids=str,
)
def test_the_content_hash_covers_type_actor_refs_and_the_names_of_private_fields(change: dict[str, Any]) -> None:
    statement = make_statement(1)
    assert content_sha256(statement) != content_sha256(replace(statement, **change))


def test_the_content_hash_does_not_tell_what_a_private_value_is() -> None:
    """Without salt it could be searched for; the commitment in the statement is salted."""
    statement = make_statement(1)
    assert content_sha256(statement) == content_sha256(replace(statement, commit={"supplier": "ef" * 32}))


@given(st.data())
def test_no_changed_byte_of_a_signed_statement_is_taken(data: st.DataObject) -> None:
    made = make_signed(make_statement(1), ACTOR_KEY)
    place = data.draw(st.integers(0, len(made.statement_bytes) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda one: one != made.statement_bytes[place]))
    changed = made.statement_bytes[:place] + bytes([byte]) + made.statement_bytes[place + 1 :]
    with pytest.raises((InputError, BadSignatureError)):
        verify_signature(check_form(SignedStatement(changed, made.signature)), ACTOR_KEY.public_key())


def test_a_signature_of_another_key_or_statement_is_refused() -> None:
    made = make_signed(make_statement(1), ACTOR_KEY)
    with pytest.raises(BadSignatureError, match="/kid"):
        verify_signature(made, OTHER_KEY.public_key())
    with pytest.raises(BadSignatureError, match="/sig"):
        verify_signature(replace(made, signature=make_signed(make_statement(2), ACTOR_KEY).signature), _public())
    with pytest.raises(InputError, match="/kid"):
        make_signed(make_statement(1), OTHER_KEY)


def _public() -> Any:
    return Ed25519PrivateKey.from_private_bytes(ACTOR_KEY.private_bytes_raw()).public_key()


def test_private_values_must_be_those_committed_to_and_may_be_left_out() -> None:
    statement = make_statement(1, commit={"price": commitment(SALT, "12.00")})
    made = make_signed(statement, ACTOR_KEY)
    good = SignedStatement(made.statement_bytes, made.signature, {"price": (SALT, "12.00")})
    assert check_form(good).private == {"price": (SALT, "12.00")}
    assert check_form(replace(good, private={})).private == {}
    for bad in ({"price": (SALT, "12.0")}, {"price": (b"\1" * 32, "12.00")}, {"colour": (SALT, "12.00")}):
        with pytest.raises(InputError, match="/private"):
            check_form(replace(good, private=bad))
    with pytest.raises(InputError):
        check_form(replace(good, private={"price": (b"short", "12.00")}))


def test_the_senders_id_is_the_key_and_the_statements_id_where_there_is_none() -> None:
    made = make_signed(make_statement(1), ACTOR_KEY, client_id="ticket-1")
    assert made.key == "ticket-1"
    assert replace(made, client_id=None).key == made.id == "01890000-0000-7000-8000-000000000001"
    assert [is_client_id(text) for text in ("!", "~" * 128, made.id)] == [True] * 3
    assert [is_client_id(text) for text in ("", " ", "~" * 129, "ü", "a\n")] == [False] * 5

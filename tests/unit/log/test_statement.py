"""Statements: their form, signature and commitments."""

from __future__ import annotations

import dataclasses
from hashlib import sha256
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from ledger.errors import BadSignatureError, InputError
from ledger.log.canonical import canonical_bytes
from ledger.log.statement import (
    STATEMENT_TYPE,
    Statement,
    check_commitment,
    commitment,
    key_id,
    pre_authentication_encoding,
    sign_statement,
    statement_from_value,
    verify_statement_signature,
)
from tests.log_samples import ACTOR_KEY, OTHER_KEY, make_statement


def test_a_statement_is_read_back_from_its_value() -> None:
    statement = make_statement(3)
    assert statement_from_value(statement.to_value()) == statement


def test_pre_authentication_encoding_is_that_of_the_dsse_protocol() -> None:
    # DSSE protocol 1.0.0, test vectors: payload "hello world", type "http://example.com/HelloWorld".
    encoded = pre_authentication_encoding("http://example.com/HelloWorld", b"hello world")
    assert encoded == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"


def test_lengths_are_those_of_bytes_not_characters() -> None:
    assert pre_authentication_encoding("ü", "ö".encode()) == "DSSEv1 2 ü 2 ö".encode()


def test_a_key_is_named_by_the_hash_of_its_bytes() -> None:
    # RFC 8032, 7.1, test 1: this public key.
    raw = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
    assert key_id(Ed25519PublicKey.from_public_bytes(raw)) == sha256(raw).hexdigest()[:16] == "21fe31dfa154a261"


def test_a_signature_holds_for_its_statement_and_key() -> None:
    statement = make_statement()
    signature = sign_statement(statement, ACTOR_KEY)
    assert len(signature) == 64
    verify_statement_signature(statement, signature, ACTOR_KEY.public_key())


@pytest.mark.parametrize(
    "changes",
    [
        {"type": "leach"},
        {"id": "01890000-0000-7000-8000-ffffffffffff"},
        {"at": "2026-05-04T07:30:00.000001Z"},
        {"actor": "operator-2"},
        {"body": {"mass_kg": "12.501"}},
        {"commit": {}},
        {"refs": ()},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_no_field_can_change_under_a_signature(changes: dict[str, Any]) -> None:
    signature = sign_statement(make_statement(), ACTOR_KEY)
    with pytest.raises(BadSignatureError):
        verify_statement_signature(make_statement(**changes), signature, ACTOR_KEY.public_key())


def test_another_key_does_not_verify() -> None:
    statement = make_statement()
    signature = sign_statement(statement, ACTOR_KEY)
    with pytest.raises(BadSignatureError) as caught:
        verify_statement_signature(statement, signature, OTHER_KEY.public_key())
    assert caught.value.problems[0].field == "/kid"
    forged = dataclasses.replace(statement, kid=key_id(OTHER_KEY.public_key()))
    with pytest.raises(BadSignatureError) as caught:
        verify_statement_signature(forged, signature, OTHER_KEY.public_key())
    assert caught.value.problems[0].field == "/sig"


def test_a_signature_without_the_payload_type_does_not_verify() -> None:
    statement = make_statement()
    payload = canonical_bytes(statement.to_value())
    for signed in (payload, pre_authentication_encoding("application/json", payload)):
        with pytest.raises(BadSignatureError):
            verify_statement_signature(statement, ACTOR_KEY.sign(signed), ACTOR_KEY.public_key())
    encoded = pre_authentication_encoding(STATEMENT_TYPE, payload)
    verify_statement_signature(statement, ACTOR_KEY.sign(encoded), ACTOR_KEY.public_key())


def test_signing_with_a_key_the_statement_does_not_name_is_refused() -> None:
    with pytest.raises(InputError) as caught:
        sign_statement(make_statement(), OTHER_KEY)
    assert caught.value.problems[0].field == "/kid"


def test_a_body_outside_the_profile_cannot_be_signed() -> None:
    with pytest.raises(InputError) as caught:
        sign_statement(make_statement(body={"mass_kg": 12.5}), ACTOR_KEY)
    assert caught.value.problems[0].field == "/body/mass_kg"


@pytest.mark.parametrize(
    ("field", "value", "pointer"),
    [
        ("type", "Assay", "/type"),
        ("type", "a..b", "/type"),
        ("type", "a" * 65, "/type"),
        ("type", 1, "/type"),
        ("id", "01890000-0000-4000-8000-000000000000", "/id"),  # version 4
        ("id", "01890000-0000-7000-c000-000000000000", "/id"),  # another variant
        ("id", "01890000-0000-7000-8000-00000000000A", "/id"),
        ("at", "2026-05-04", "/at"),
        ("actor", "", "/actor"),
        ("actor", "Jane Doe", "/actor"),
        ("actor", "x" * 129, "/actor"),
        ("kid", "21FE31DFA154A261", "/kid"),
        ("kid", None, "/kid"),
        ("body", [], "/body"),
        ("commit", [], "/commit"),
        ("commit", {"supplier": "ab"}, "/commit/supplier"),
        ("refs", {}, "/refs"),
        ("refs", ["ab" * 32, "x"], "/refs/1"),
        ("v", 2, "/v"),
        ("v", True, "/v"),
    ],
)
def test_a_field_that_is_not_of_its_form_is_named(field: str, value: Any, pointer: str) -> None:
    statement = make_statement().to_value()
    statement[field] = value
    with pytest.raises(InputError) as caught:
        statement_from_value(statement)
    assert caught.value.problems[0].field == pointer


@pytest.mark.parametrize("field", sorted(make_statement().to_value()))
def test_no_field_may_be_missing(field: str) -> None:
    statement = make_statement().to_value()
    del statement[field]
    with pytest.raises(InputError) as caught:
        statement_from_value(statement)
    assert caught.value.problems[0].field == f"/{field}"


def test_no_field_may_be_added() -> None:
    with pytest.raises(InputError) as caught:
        statement_from_value(make_statement().to_value() | {"alg": "none"})
    assert caught.value.problems[0].field == "/alg"


def test_a_commitment_is_the_hash_of_salt_and_canonical_value() -> None:
    salt = bytes(range(32))
    committed = commitment(salt, {"supplier": "Größe", "lot": 7})
    assert committed == sha256(salt + '{"lot":7,"supplier":"Größe"}'.encode()).hexdigest()
    assert check_commitment(committed, salt, {"lot": 7, "supplier": "Größe"})
    assert not check_commitment(committed, salt, {"lot": 8, "supplier": "Größe"})
    assert not check_commitment(committed, bytes(32), {"lot": 7, "supplier": "Größe"})
    assert not check_commitment(committed.upper(), salt, {"lot": 7, "supplier": "Größe"})


def test_a_salt_has_32_bytes() -> None:
    # With shorter salts the border between salt and value could be moved.
    for length in (0, 16, 31, 33):
        with pytest.raises(InputError):
            commitment(bytes(length), "x")


def test_defaults_are_no_commitments_and_no_files() -> None:
    made = make_statement()
    statement = Statement(made.type, made.id, made.at, made.actor, made.kid, made.body)
    assert statement.to_value()["commit"] == {}
    assert statement.to_value()["refs"] == []

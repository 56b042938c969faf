"""Time stamps: every token is held against rfc3161-client, as we call it, and against `openssl ts -verify`."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from asn1crypto import cms, tsp
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import BadSignatureError, InputError, LedgerError, MalformedProofError, VerificationError
from ledger.log.checkpoint import make_verifier_key, parse_checkpoint, verify_checkpoint
from ledger.log.timestamp import (
    MAX_NONCE,
    MAX_TOKEN_BYTES,
    make_timestamp_request,
    stamped_bytes,
    verify_stamped_signature,
    verify_timestamp,
)
from tests.local_tsa import OTHER_POLICY, POLICY, LocalTsa, make_local_tsa
from tests.log_samples import LOG_KEY, ORIGIN, make_log, make_note

NOTE = make_note(make_log(3))
OTHER_NOTE = make_note(make_log(4))
NONCE = 0x1122334455667788
WITNESS_LINE = "— witness.example/w1 CcWkxdCyFRYLyjMZPXYUhMiFbiQ1C6yBGGLwTRBUrQ==\n"


@pytest.fixture(scope="session")
def tsa(tmp_path_factory: pytest.TempPathFactory) -> LocalTsa:
    """The authority that is trusted."""
    return make_local_tsa(tmp_path_factory.mktemp("tsa"))


@pytest.fixture(scope="session")
def token(tsa: LocalTsa) -> bytes:
    """Its token over NOTE, asked for with NONCE."""
    return tsa.reply(make_timestamp_request(NOTE, NONCE))


def test_token_over_a_checkpoint_is_accepted_by_both_and_tells_when(tsa: LocalTsa, token: bytes) -> None:
    found = verify_timestamp(token, NOTE, [tsa.root], nonce=NONCE, policy=POLICY)
    assert abs(found.gen_time - datetime.now(UTC)) < timedelta(minutes=5)
    assert found.gen_time.tzinfo is UTC
    assert (found.tsa, found.policy) == ("CN=Local Test TSA", POLICY)
    assert tsa.openssl_accepts(token, stamped_bytes(NOTE))


@pytest.mark.parametrize("hash_option", ["-sha256", "-sha384", "-sha512"])
def test_token_asked_for_with_openssl_is_accepted_by_both(tsa: LocalTsa, hash_option: str) -> None:
    token = tsa.stamp(stamped_bytes(NOTE), hash_option)
    assert verify_timestamp(token, NOTE, [tsa.root]).policy == POLICY
    assert tsa.openssl_accepts(token, stamped_bytes(NOTE))


def test_our_request_may_be_for_sha512(tsa: LocalTsa) -> None:
    token = tsa.reply(make_timestamp_request(NOTE, NONCE, "sha512"))
    assert verify_timestamp(token, NOTE, [tsa.root], nonce=NONCE)
    assert tsa.openssl_accepts(token, stamped_bytes(NOTE))


def test_what_is_stamped_stays_when_witnesses_add_their_lines(tsa: LocalTsa, token: bytes) -> None:
    witnessed = NOTE + WITNESS_LINE
    assert len(parse_checkpoint(witnessed)[1]) == 2
    assert stamped_bytes(witnessed) == stamped_bytes(NOTE) == NOTE.encode()
    assert verify_timestamp(token, witnessed, [tsa.root])
    head, line = NOTE.split("\n\n")
    assert stamped_bytes(f"{head}\n\n{WITNESS_LINE}{line}") == NOTE.encode()


def test_note_without_a_line_of_the_log_has_nothing_to_stamp() -> None:
    with pytest.raises(MalformedProofError):
        stamped_bytes(NOTE.split("\n\n")[0] + "\n\n" + WITNESS_LINE)


def test_line_put_before_a_keys_own_is_what_is_stamped_and_does_not_date_the_keys_signature() -> None:
    """Else a tree could be stamped with any line in that place, and be signed when the key has been stolen."""
    vkey = make_verifier_key(ORIGIN, LOG_KEY.public_key())
    assert verify_stamped_signature(NOTE + WITNESS_LINE, vkey) == parse_checkpoint(NOTE)[0]
    head, line = NOTE.split("\n\n")
    planted = f"{head}\n\n— {ORIGIN} AAAAAAAA\n{line}"
    assert verify_checkpoint(planted, vkey) == parse_checkpoint(NOTE)[0]
    with pytest.raises(BadSignatureError):
        verify_stamped_signature(planted, vkey)


def test_token_over_another_checkpoint_is_refused_by_both(tsa: LocalTsa, token: bytes) -> None:
    with pytest.raises(VerificationError, match="another text"):
        verify_timestamp(token, OTHER_NOTE, [tsa.root])
    assert not tsa.openssl_accepts(token, stamped_bytes(OTHER_NOTE))


def test_token_over_the_same_tree_signed_otherwise_is_refused(tsa: LocalTsa, token: bytes) -> None:
    head, line = NOTE.rsplit(" ", 1)
    other = f"{head} {line[:-8]}AAAAAA=\n" if line[:-8] else ""
    assert parse_checkpoint(other)[0] == parse_checkpoint(NOTE)[0]
    with pytest.raises(VerificationError, match="another text"):
        verify_timestamp(token, other, [tsa.root])


def test_answer_with_another_nonce_or_none_is_refused(tsa: LocalTsa, token: bytes) -> None:
    for wrong in (token, tsa.stamp(stamped_bytes(NOTE), "-sha256", "-no_nonce")):
        with pytest.raises(VerificationError, match="/nonce"):
            verify_timestamp(wrong, NOTE, [tsa.root], nonce=NONCE + 1)


def test_token_under_another_policy_is_refused_where_one_is_demanded(tsa: LocalTsa) -> None:
    token = tsa.stamp(stamped_bytes(NOTE), "-sha256", "-tspolicy", OTHER_POLICY)
    assert verify_timestamp(token, NOTE, [tsa.root]).policy == OTHER_POLICY
    with pytest.raises(VerificationError, match="/policy"):
        verify_timestamp(token, NOTE, [tsa.root], policy=POLICY)


def test_rejection_is_no_token(tsa: LocalTsa) -> None:
    """The authority takes no MD5."""
    rejection = tsa.stamp(stamped_bytes(NOTE), "-md5")
    with pytest.raises(VerificationError, match="granted"):
        verify_timestamp(rejection, NOTE, [tsa.root])
    assert not tsa.openssl_accepts(rejection, stamped_bytes(NOTE))


def test_token_of_an_authority_that_is_not_trusted_is_refused_by_both(
    tsa: LocalTsa, token: bytes, tmp_path: Path
) -> None:
    """Also of one with the same name and its own key."""
    twin = make_local_tsa(tmp_path)
    with pytest.raises(BadSignatureError):
        verify_timestamp(token, NOTE, [twin.root])
    with pytest.raises(BadSignatureError):
        verify_timestamp(twin.reply(make_timestamp_request(NOTE, NONCE)), NOTE, [tsa.root])
    assert not twin.openssl_accepts(token, stamped_bytes(NOTE))
    assert verify_timestamp(token, NOTE, [twin.root, tsa.root]) == verify_timestamp(token, NOTE, [tsa.root, twin.root])


@pytest.mark.parametrize(("since_days", "lasts_days"), [(-20, 10), (5, 10)])
def test_token_by_a_certificate_that_was_not_valid_then_is_refused_by_both(
    since_days: int, lasts_days: int, tmp_path: Path
) -> None:
    """Expired ten days ago; valid from in five days on. Its root is valid in both cases."""
    since = datetime.now(UTC) + timedelta(days=since_days)
    tsa = make_local_tsa(tmp_path, since=since, lasts=timedelta(days=lasts_days))
    token = tsa.stamp(stamped_bytes(NOTE))
    with pytest.raises(BadSignatureError):
        verify_timestamp(token, NOTE, [tsa.root])
    assert not tsa.openssl_accepts(token, stamped_bytes(NOTE))


USAGES = {
    "code signing": (ExtendedKeyUsageOID.CODE_SIGNING,),
    "time stamping and code signing": (ExtendedKeyUsageOID.TIME_STAMPING, ExtendedKeyUsageOID.CODE_SIGNING),
}


@pytest.mark.parametrize("name", USAGES)
def test_token_by_a_certificate_for_other_uses_is_refused_by_both(name: str, token: bytes, tmp_path: Path) -> None:
    """OpenSSL's authority would not sign with it, so its CMS command does, over what the good token states."""
    other = make_local_tsa(tmp_path / "other", usages=USAGES[name])
    good = make_local_tsa(tmp_path / "good")
    for signer in (other, good):
        signed = signer.signed_as_token(token)
        if signer is good:
            assert verify_timestamp(signed, NOTE, [signer.root])
        else:
            with pytest.raises(BadSignatureError):
                verify_timestamp(signed, NOTE, [signer.root])
        assert signer.openssl_accepts(signed, stamped_bytes(NOTE)) == (signer is good)


TWINS = {
    "lends the right to stamp": (USAGES["time stamping and code signing"], True),
    "has no right to anything": ((ExtendedKeyUsageOID.TIME_STAMPING,), False),
}


@pytest.mark.parametrize("name", TWINS)
def test_certificate_that_is_put_beside_the_signers_under_its_name_and_number_is_refused(
    name: str, token: bytes, tmp_path: Path
) -> None:
    """Nobody signs which certificates lie in a token. One may neither widen what the signer's may do nor stop us."""
    usages, with_usage = TWINS[name]
    signer = make_local_tsa(tmp_path, usages=usages)
    response = tsp.TimeStampResp.load(signer.signed_as_token(token))
    signed_data = response["time_stamp_token"]["content"]
    real = signed_data["certificates"][0].chosen
    key = ec.generate_private_key(ec.SECP256R1())
    builder = (
        x509.CertificateBuilder()
        .issuer_name(x509.load_der_x509_certificate(real.dump()).issuer)
        .subject_name(x509.load_der_x509_certificate(real.dump()).subject)
        .serial_number(real.serial_number)
        .public_key(key.public_key())
        .not_valid_before(datetime.now(UTC) - timedelta(days=1))
        .not_valid_after(datetime.now(UTC) + timedelta(days=1))
    )
    if with_usage:
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING])
        builder = builder.add_extension(usage, critical=True)
    twin = builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)
    both = sorted([real.dump(), twin])  # DER orders the elements of a SET
    signed_data["certificates"] = cms.CertificateSet([cms.CertificateChoices.load(der) for der in both])
    changed = response.dump(force=True)
    assert twin in changed
    assert real.dump() in changed
    with pytest.raises(BadSignatureError, match="2 certificates"):
        verify_timestamp(changed, NOTE, [signer.root])


CORRUPTIONS: dict[str, Callable[[bytes], int]] = {
    "hash of the checkpoint": lambda token: token.index(hashlib.sha256(stamped_bytes(NOTE)).digest()),
    "time": lambda token: token.index(b"20", token.index(hashlib.sha256(stamped_bytes(NOTE)).digest()) + 32) + 3,
    "nonce": lambda token: token.index(NONCE.to_bytes(8)),
    "name in the certificate": lambda token: token.index(b"Local Test TSA"),
    "signature": lambda token: len(token) - 1,
}
"""Where a byte is changed. The time is a GeneralizedTime, "20261124...", after the hash; its fourth digit is the year's
last."""


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_changed_token_is_refused_by_both(name: str, tsa: LocalTsa, token: bytes) -> None:
    place = CORRUPTIONS[name](token)
    changed = token[:place] + bytes([token[place] ^ 1]) + token[place + 1 :]
    with pytest.raises(VerificationError):
        verify_timestamp(changed, NOTE, [tsa.root])
    assert not tsa.openssl_accepts(changed, stamped_bytes(NOTE))


MALFORMED: dict[str, Callable[[bytes], bytes]] = {
    "nothing": lambda token: b"",
    "a page": lambda token: b"<html>Service unavailable</html>",
    "a byte more": lambda token: token + b"\x00",
    "a byte less": lambda token: token[:-1],
    "the token without its status": lambda token: token[9:],
    "too long": lambda token: token + bytes(MAX_TOKEN_BYTES),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_what_is_no_token_is_malformed(name: str, tsa: LocalTsa, token: bytes) -> None:
    with pytest.raises(MalformedProofError):
        verify_timestamp(MALFORMED[name](token), NOTE, [tsa.root])


def test_no_bit_can_change_what_a_token_says(tsa: LocalTsa, token: bytes) -> None:
    """Some bits are not covered by the signature, such as version numbers: they change nothing that we tell."""
    good = verify_timestamp(token, NOTE, [tsa.root], nonce=NONCE)
    accepted = refused = 0
    for bit in range(len(token) * 8):
        changed = bytearray(token)
        changed[bit // 8] ^= 1 << bit % 8
        try:
            assert verify_timestamp(bytes(changed), NOTE, [tsa.root], nonce=NONCE) == good
            accepted += 1
        except (MalformedProofError, VerificationError):
            refused += 1
    assert refused > 20 * accepted > 0


@given(data=st.data())
def test_a_spliced_token_raises_nothing_but_a_ledger_error_and_never_tells_another_time(
    data: st.DataObject, tsa: LocalTsa, token: bytes
) -> None:
    good = verify_timestamp(token, NOTE, [tsa.root])
    changed = bytearray(token)
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(changed)))
        end = min(len(changed), start + data.draw(st.integers(0, 8)))
        changed[start:end] = data.draw(st.binary(max_size=8))
    with suppress(LedgerError):
        assert verify_timestamp(bytes(changed), NOTE, [tsa.root]) == good


@given(data=st.binary(max_size=200))
def test_any_bytes_raise_nothing_but_a_ledger_error(data: bytes, tsa: LocalTsa) -> None:
    with pytest.raises(LedgerError):
        verify_timestamp(data, NOTE, [tsa.root])


def test_roots_must_be_given_and_be_certificates(token: bytes) -> None:
    for roots in ([], [b"not PEM"]):
        with pytest.raises(InputError):
            verify_timestamp(token, NOTE, roots)


@pytest.mark.parametrize("nonce", [0, -1, MAX_NONCE + 1])
def test_nonce_is_in_range(nonce: int) -> None:
    with pytest.raises(InputError):
        make_timestamp_request(NOTE, nonce)


def test_without_rfc3161_client_the_next_step_is_to_install_the_extra() -> None:
    code = (
        "import sys; sys.modules['rfc3161_client'] = None\n"
        "from ledger.errors import StoreError\n"
        "from ledger.log.timestamp import verify_timestamp\n"
        "try:\n    verify_timestamp(b'x', 'y', [])\n"
        "except StoreError as error:\n    print(error.problems[0].next_step)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert 'pip install "magnet-ledger[time]"' in done.stdout

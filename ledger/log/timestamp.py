"""RFC 3161 time stamps over a checkpoint: an authority of others says that the log stood there at that time.

What is stamped is the part of the signed note that never changes: the text, the empty line and the log's own signature
line (the first whose key name is the origin). Witnesses' lines, which come later, are left out. A token so shows that
the checkpoint and that line existed. Who judges a key by a token's time must make sure that the line is by that key
(verify_stamped_signature): who steals a key later cannot have had its signature stamped earlier.

Verifying needs rfc3161-client, which the extra `time` installs, and no network.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from types import ModuleType
from typing import TYPE_CHECKING, Literal, NoReturn

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from ledger.errors import BadSignatureError, InputError, MalformedProofError, StoreError, VerificationError, problem
from ledger.log.checkpoint import Checkpoint, VerifierKey, parse_checkpoint, verify_checkpoint
from ledger.log.forms import format_base64

if TYPE_CHECKING:
    from rfc3161_client import TimeStampResponse

MAX_TOKEN_BYTES = 32_768
"""Longest response read. One with a chain of four RSA certificates has about 8,000 bytes."""

MAX_NONCE = 2**63 - 1

HashName = Literal["sha256", "sha512"]

_HASHES = {"2.16.840.1.101.3.4.2.1": "sha256", "2.16.840.1.101.3.4.2.2": "sha384", "2.16.840.1.101.3.4.2.3": "sha512"}
"""Hashes that a token may be over, by object identifier. SHA-1, which RFC 3161 knows too, shows nothing any more."""

_GRANTED = 0

_UNREADABLE = (
    ValueError, KeyError, x509.InvalidVersion, x509.ExtensionNotFound, x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)  # fmt: skip
"""What reading a certificate that is not of its form raises; KeyError: a name in a type of text that is unknown."""


@dataclass(frozen=True)
class Timestamp:
    """What a verified token says.

    gen_time: the authority's time, UTC. serial_number: the token's, unique to the authority. tsa: subject of the
    authority's certificate (RFC 4514). policy: object identifier of the rules that it stamps by, in dots.
    """

    gen_time: datetime
    serial_number: int
    tsa: str
    policy: str


def stamped_bytes(note: str) -> bytes:
    """The bytes of the note that a token is over: its three lines, the empty line, the log's own signature line.

    Raises: MalformedProofError if it is no checkpoint, or has no signature line with the origin as key name.
    """
    checkpoint, signatures = parse_checkpoint(note)
    own = next((line for line in signatures if line.name == checkpoint.origin), None)
    if own is None:
        raise MalformedProofError(
            problem(
                "/signatures",
                [line.name for line in signatures],
                f"a signature line of {checkpoint.origin}",
                "Take the checkpoint from the log again, unchanged.",
            )
        )
    return f"{checkpoint.body()}\n— {own.name} {format_base64(own.key_hash + own.signature)}\n".encode()


def verify_stamped_signature(note: str, vkey: VerifierKey) -> Checkpoint:
    """The checkpoint, if the signature line that a token over it is over is by this key, and holds.

    Raises: as verify_checkpoint; a line of this key elsewhere in the note does not count.
    """
    return verify_checkpoint(stamped_bytes(note).decode("utf-8"), vkey)


def make_timestamp_request(note: str, nonce: int, hash_name: HashName = "sha256") -> bytes:
    """The request (TimeStampReq, DER) for a token over the note, with the authority's certificate in it.

    nonce: random, 1 <= nonce <= MAX_NONCE; ties the answer to this request.
    Raises: InputError if the nonce is out of range; MalformedProofError as stamped_bytes does.
    """
    from asn1crypto import tsp

    if not 1 <= nonce <= MAX_NONCE:
        raise InputError(problem("/nonce", nonce, f"1 <= nonce <= {MAX_NONCE}", "Draw another one."))
    request = tsp.TimeStampReq(
        {
            "version": "v1",
            "message_imprint": {
                "hash_algorithm": {"algorithm": hash_name},
                "hashed_message": hashlib.new(hash_name, stamped_bytes(note)).digest(),
            },
            "nonce": nonce,
            "cert_req": True,
        }
    )
    encoded: bytes = request.dump()
    return encoded


def verify_timestamp(
    token: bytes, note: str, roots: Sequence[bytes], *, nonce: int | None = None, policy: str | None = None
) -> Timestamp:
    """What the token, a whole TimeStampResp in DER, says of the note.

    roots: who is trusted to tell the time, never issuers' roots: for each authority its root certificate, PEM. nonce:
    what was asked with, if this is the answer to a request. policy: the one demanded, in dots, if any.
    The authority's certificate must be for time stamping alone (RFC 3161, 2.3), and valid by its chain when it stamped,
    not now; whether it was revoked is not looked up.
    Raises: MalformedProofError if the token or the note is not of its form; VerificationError if the request was not
    granted, or if the token is over another text, or with another nonce or policy; BadSignatureError if it is not
    signed by an authority under one of the roots; InputError if there is no root or one is not of its form; StoreError
    if rfc3161-client is not installed.
    """
    rfc3161 = _rfc3161_client()
    trusted = parse_tsa_roots(roots)
    if not trusted:
        raise InputError(
            problem(
                "/tsa_roots",
                "none",
                "the root certificate of a time stamping authority",
                "Put it into the trust folder as NAME.tsa.pem.",
            )
        )
    data = stamped_bytes(note)
    response = _parse_token(rfc3161, token)
    if response.status != _GRANTED:
        _wrong("/status", f"{response.status} {response.status_string}", "0, granted", "Ask the authority why.")
    try:
        info = response.tst_info
        hash_name = _HASHES.get(info.message_imprint.hash_algorithm.dotted_string)
        if hash_name is None:
            _malformed(info.message_imprint.hash_algorithm.dotted_string, "SHA-256, SHA-384 or SHA-512 as hash")
        imprint = bytes(info.message_imprint.message)
        if imprint != (expected := hashlib.new(hash_name, data).digest()):
            _wrong(
                "/message_imprint",
                imprint.hex(),
                f"{expected.hex()}, the {hash_name} of this checkpoint",
                "This is a token over another text: find the one over this checkpoint.",
            )
        if nonce is not None and info.nonce != nonce:
            _wrong("/nonce", info.nonce, f"{nonce}, as asked with", "This answers another request: ask again.")
        if policy is not None and info.policy.dotted_string != policy:
            _wrong("/policy", info.policy.dotted_string, policy, "Ask an authority that stamps under this policy.")
        signer = _signer(response)
        _verify_signature(rfc3161, response, data, trusted)
        usages = list(signer.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)
        if usages != [ExtendedKeyUsageOID.TIME_STAMPING]:
            raise ValueError(f"the signer's certificate is for {[usage.dotted_string for usage in usages]}")
        return Timestamp(
            gen_time=info.gen_time.astimezone(UTC),
            serial_number=info.serial_number,
            tsa=signer.subject.rfc4514_string(),
            policy=info.policy.dotted_string,
        )
    except (rfc3161.VerificationError, *_UNREADABLE) as error:
        # The certificates are read only here, so what is not of its form is not signed either.
        raise BadSignatureError(
            problem(
                "/signature",
                str(error),
                "the signature of a time stamping authority under a trusted root, valid when it stamped",
                "Check which *.tsa.pem roots are trusted; else treat the time as not shown.",
            )
        ) from None


def parse_tsa_roots(roots: Sequence[bytes]) -> list[list[x509.Certificate]]:
    """The certificates in each of the files. Raises: InputError if one is not PEM or holds none."""
    try:
        return [x509.load_pem_x509_certificates(pem) for pem in roots]
    except ValueError as error:
        raise InputError(
            problem("/tsa_roots", str(error), "certificates in PEM", "Mend or remove the *.tsa.pem file.")
        ) from None


def _parse_token(rfc3161: ModuleType, token: bytes) -> TimeStampResponse:
    if len(token) > MAX_TOKEN_BYTES:
        _malformed(f"{len(token)} bytes", f"at most {MAX_TOKEN_BYTES}")
    try:
        response: TimeStampResponse = rfc3161.decode_timestamp_response(token)
    except ValueError as error:
        _malformed(f"{len(token)} bytes ({error})", "a TimeStampResp in DER")
    return response


def _verify_signature(
    rfc3161: ModuleType, response: TimeStampResponse, data: bytes, trusted: Sequence[list[x509.Certificate]]
) -> None:
    """That an authority under one of the roots has signed.

    Raises: rfc3161-client's VerificationError, or one of _UNREADABLE, if none has.
    """
    failures: list[Exception] = []
    for roots in trusted:  # one after the other: of two roots with one name, only the first found would be tried
        try:
            rfc3161.VerifierBuilder(roots=roots).build().verify_message(response, data)
        except (rfc3161.VerificationError, *_UNREADABLE) as error:
            failures.append(error)
        else:
            return
    raise failures[-1]


def _signer(response: TimeStampResponse) -> x509.Certificate:
    """The certificate that the token's signature is by.

    Nobody has signed which certificates lie in the token. Of two that bear the signer's name and number, one might
    verify the signature and the other lend it the right to stamp, so there must be one.
    Raises: one of _UNREADABLE if there is none or another, too.
    """
    (signer,) = response.signed_data.signer_infos
    certificates = [x509.load_der_x509_certificate(der) for der in response.signed_data.certificates]
    mine = [one for one in certificates if (one.issuer, one.serial_number) == (signer.issuer, signer.serial_number)]
    if len(mine) != 1:
        raise ValueError(f"{len(mine)} certificates in the token bear the signer's name and number; expected one")
    return mine[0]


def _rfc3161_client() -> ModuleType:
    try:
        import rfc3161_client
    except ImportError as error:
        raise StoreError(
            problem(
                "", "rfc3161-client is not installed", "the extra `time`", 'Type: pip install "magnet-ledger[time]"'
            )
        ) from error
    return rfc3161_client


def _wrong(field: str, found: object, expected: str, next_step: str) -> NoReturn:
    raise VerificationError(problem(field, found, expected, next_step))


def _malformed(found: object, expected: str) -> NoReturn:
    raise MalformedProofError(problem("", found, expected, "Take the token again, unchanged."))

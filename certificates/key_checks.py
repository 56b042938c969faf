"""Who signed what a certificate rests on: its checkpoint by a key of the log, its entries by keys of their actors.

Each check gives its detail, or raises a LedgerError that says what is wrong. What is known of keys that were rotated or
revoked comes from the entries in the evidence, which hold every one about keys up to the certificate's basis, and from
what the verifier trusts; later revocations from a log at hand.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime

from certificates.checklist import sentence_of, wrong
from certificates.evidence import body_of
from certificates.log_checks import ISSUING_ROLES
from ledger.errors import BadSignatureError, LedgerError, VerificationError
from ledger.log.checkpoint import parse_checkpoint
from ledger.log.cosignature import WitnessPolicy, cosignatures_of, without_cosignatures
from ledger.log.envelope import Envelope
from ledger.log.forms import parse_base64
from ledger.log.keyring import Keyring, Signed
from ledger.log.statement import verify_statement_signature
from ledger.log.timestamp import stamped_bytes, verify_timestamp
from ledger.material.entries import CertificateIssued
from ledger.material.keys import KEY_TYPES, NO_KEYS, Keys, followed


def check_note(
    note: str,
    stated: str,
    keyring: Keyring,
    envelopes: Sequence[Envelope] = (),
    dated: Sequence[tuple[str, datetime]] = (),
) -> str:
    """A trusted key of the log has signed the note, one that may sign its size, and `stated` is one that has.

    keyring: the trusted keys, which the entries about keys among the envelopes carry on. dated: by a trusted witness or
    authority: see `checkpoint_dates`. A revoked key counts only for what was dated before.
    """
    carried_on = followed(keyring, [(one.seq, one.recv, body_of(one)) for one in envelopes])
    signed = _accepted(carried_on, note, dated)
    if stated not in [key.text for key in carried_on.signers(note).keys]:
        wrong(f"verifier key {stated[:80]}", "a key that signed the checkpoint, in evidence too")
    hashes = " and ".join(key.vkey.key_hash.hex() for key in signed.keys)
    several = "keys" if len(signed.keys) > 1 else "key"
    before = ", before it was revoked" if all(key.revoked for key in signed.keys) else ""
    return f"signed by the trusted {several} {hashes} of {signed.checkpoint.origin}{before}"


def _accepted(keyring: Keyring, note: str, dated: Sequence[tuple[str, datetime]]) -> Signed:
    """The note, if a key signed it that is not revoked, or by one of the dates. Raises: BadSignatureError."""
    try:
        return keyring.verify(note)
    except BadSignatureError as error:
        refusal = error
    for text, date in dated:
        try:
            return keyring.verify(text, date)
        except BadSignatureError as error:
            refusal = error
    raise refusal


def checkpoint_dates(
    note: str, timestamp: str | None, witnesses: WitnessPolicy, tsa_roots: Sequence[bytes]
) -> list[tuple[str, datetime]]:
    """The dates that trusted others gave to the checkpoint, each with the note as far as it dates it.

    timestamp: RFC 3161 response, base64; of the signature lines it dates only the one that is in the stamped bytes, so
    that a line of a stolen key cannot be put beside it later. Of witnesses as many must have signed by then as the
    policy needs, one at least. What does not hold gives no date; that it does not hold is for the checks of its own.
    """
    dates = []
    with suppress(VerificationError, ValueError, OverflowError, OSError):  # the last three: a time past the year 9999
        seconds = sorted(time for _, time in cosignatures_of(note, witnesses.witnesses))
        if len(seconds) >= max(1, witnesses.needed):
            dates.append((note, datetime.fromtimestamp(seconds[max(1, witnesses.needed) - 1], UTC)))
    if timestamp is not None and tsa_roots:
        with suppress(LedgerError):
            stamped = verify_timestamp(parse_base64(timestamp, "/timestamp"), note, tsa_roots)
            dates.append((stamped_bytes(note).decode("utf-8"), stamped.gen_time))
    return dates


def without_revoked_witnesses(note: str, witnesses: WitnessPolicy, envelopes: Sequence[Envelope]) -> str:
    """The note without the lines of witnesses that an entry under it revokes: theirs count for nothing.

    A note or entries that cannot be read are for the checks of their own.
    """
    try:
        size = parse_checkpoint(note)[0].tree_size
        return without_cosignatures(note, keys_of(envelopes).revoked_witnesses(witnesses.witnesses, size))
    except LedgerError:
        return note


def check_entry_signatures(envelopes: Sequence[Envelope]) -> str:
    """Every statement is signed by a key that may sign it (`ledger.material.keys`).

    The last, the issuance, is signed by a key of a role that may issue, for an issuer who is not revoked.
    """
    keys = NO_KEYS
    for envelope in envelopes:
        statement = envelope.statement
        body = body_of(envelope)
        try:
            key = keys.signing_key(envelope.seq, statement.kid, statement.actor, body)
            keys = keys.with_entry(envelope.seq, body)
        except LedgerError as error:
            wrong(f"entry {envelope.seq}", f"an entry by a key that may sign it ({sentence_of(error)})")
        if isinstance(body, CertificateIssued):
            if key.role not in ISSUING_ROLES:
                wrong(f"issue by a key of role {key.role}", f"a role that may issue: {', '.join(ISSUING_ROLES)}")
            if ("issuer", body.signer_sha256) in keys.revoked:
                seq = keys.revoked["issuer", body.signer_sha256][0]
                wrong(f"issuer {body.signer_sha256[:16]}...", f"one whose key is not revoked, as by entry {seq}")
        try:
            verify_statement_signature(statement, envelope.signature, key.public_key)
        except BadSignatureError as error:
            wrong(f"entry {envelope.seq}", f"a statement signed by its actor ({sentence_of(error)})")
    return f"{len(envelopes)} statements are signed by keys that the log registers ({len(keys.actors)} keys)"


def doubt(keys: Keys, envelopes: Sequence[Envelope]) -> str | None:
    """What revocations say of the entries: that somebody else may have made one of them. None if nothing.

    keys: of the evidence, or of a log at hand that knows of later revocations, heirs of compromised ones flagged.
    envelopes: the issuance last.
    """
    # Entries about keys are in every evidence. What a thief did with them is in the flags of the keys: `with_heirs`.
    of_plant = [one for one in envelopes if one.statement.type not in KEY_TYPES]
    flagged = [one for one in of_plant if keys.is_flagged(one.seq, one.statement.kid)]
    if flagged:
        numbers = ", ".join(str(one.seq) for one in flagged)
        who = f"entry {numbers}" if len(flagged) == 1 else f"entries {numbers}"
        revocation = keys.revoked.get(("actor", flagged[0].statement.kid))
        if revocation is None or revocation[1].compromised_from_seq is None:
            return f"{who} may be by somebody else: a key that was compromised by then has registered theirs"
        return f"{who} may be by somebody else: entry {revocation[0]} revokes the key as compromised by then"
    issuance = envelopes[-1]
    body = body_of(issuance)
    if not isinstance(body, CertificateIssued) or ("issuer", body.signer_sha256) not in keys.revoked:
        return None
    seq, revoked = keys.revoked["issuer", body.signer_sha256]
    if issuance.seq > seq:
        return f"entry {seq} revokes the issuer's key, and the certificate was issued by entry {issuance.seq} after it"
    if revoked.compromised_from_seq is not None and issuance.seq >= revoked.compromised_from_seq:
        return f"entry {seq} revokes the issuer's key as compromised when entry {issuance.seq} issued the certificate"
    return None


def keys_of(envelopes: Sequence[Envelope]) -> Keys:
    """What the entries say of keys, heirs of compromised ones flagged. Raises: LedgerError where they contradict."""
    keys = NO_KEYS
    for envelope in envelopes:
        keys = keys.with_entry(envelope.seq, body_of(envelope))
    signers = {envelope.seq: envelope.statement.kid for envelope in envelopes}
    return keys.with_heirs(signers.get)

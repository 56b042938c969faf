"""`magnet-ledger key`: list, register, rotate, revoke."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.cli.output import print_json, print_table, reported, say

if TYPE_CHECKING:
    from api.key_rotation import Rotation
    from ledger.log.keyring import Keyring
    from ledger.material.keys import Keys

app = typer.Typer(
    help="Keys of the log, its actors and the issuer: list, register, rotate, revoke.", no_args_is_help=True
)

JsonOption = Annotated[bool, typer.Option("--json", help="As JSON.")]


class Role(StrEnum):
    """Whose key is rotated."""

    LOG = "log"
    ACTOR = "actor"
    ISSUER = "issuer"


class ActorRole(StrEnum):
    """What an actor may state."""

    OPERATOR = "operator"
    LABORATORY = "laboratory"
    SUSTAINABILITY = "sustainability"
    ISSUER = "issuer"


class Kind(StrEnum):
    """What a key that is revoked was for."""

    LOG = "log"
    ACTOR = "actor"
    ISSUER = "issuer"
    WITNESS = "witness"


@app.command("list")
def list_keys(as_json: JsonOption = False) -> None:
    """The keys of the log and of its actors, what each may sign, and what was revoked."""
    from api.deps import open_ledger
    from api.key_rotation import signers_here
    from api.settings import load_settings
    from ledger.service.key_changes import keyring_now
    from ledger.service.log_keys import keys_now

    with reported(as_json):
        settings = load_settings()
        ledger = open_ledger(settings)
        keys, ring, here = keys_now(ledger), keyring_now(ledger), signers_here(settings, ledger)
    if as_json:
        print_json(_list_value(keys, ring, here))
        return
    rows = [
        (
            "log",
            key.vkey.key_hash.hex(),
            key.range_text(),
            "here" if key.text in here else "",
            f"revoked by entry {key.revoked.seq}" if key.revoked else "",
        )
        for key in ring.keys
    ]
    for one in keys.actors.values():
        until = "" if one.until_seq is None else f" to {one.until_seq}"
        ended = f"{one.ended} by entry {one.until_seq}" if one.ended else ""
        if one.compromised_from_seq is not None:
            ended += f", compromised from entry {one.compromised_from_seq} on"
        rows.append(("actor", one.kid, f"entries from {one.from_seq}{until}", f"{one.actor}, {one.role}", ended))
    rows += [
        (kind, name[:16], "", "", f"revoked by entry {seq}")
        for (kind, name), (seq, _) in keys.revoked.items()
        if kind in ("issuer", "witness")
    ]
    print_table(("kind", "key", "signs", "whose", "state"), rows)


def _list_value(keys: Keys, ring: Keyring, here: list[str]) -> dict[str, Any]:
    from ledger.log.keyring import keyring_value

    return {
        "log": [{**value, "here": value["vkey"] in here} for value in keyring_value(ring)["keys"]],
        "actors": [
            {
                "kid": one.kid,
                "actor": one.actor,
                "role": one.role,
                "from_seq": one.from_seq,
                "until_seq": one.until_seq,
                "ended": one.ended,
                "compromised_from_seq": one.compromised_from_seq,
            }
            for one in keys.actors.values()
        ],
        "revoked": [{"seq": seq, **body.to_value()} for seq, body in keys.revoked.values()],
    }


@app.command()
def register(
    actor: Annotated[str, typer.Argument(help="Id of the actor that the key signs for; a pseudonym.")],
    role: Annotated[ActorRole, typer.Option(help="What the actor may state.")],
    public_key: Annotated[str | None, typer.Option(help="The key: base64 of its 32 bytes.")] = None,
    make: Annotated[
        Path | None, typer.Option(help="Make a key and write it to this file, which must not exist.", dir_okay=False)
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Let another key sign statements: a laboratory's, or a second operator's to be kept away from the network."""
    from api.deps import open_ledger, operator_actor
    from api.key_rotation import make_actor_key
    from api.settings import load_settings
    from ledger.errors import InputError, problem
    from ledger.service.key_changes import register_key

    with reported(as_json):
        if (public_key is None) == (make is None):
            raise InputError(problem("--public-key", public_key, "--public-key or --make", "Give one of the two."))
        settings = load_settings()
        ledger, by = open_ledger(settings), operator_actor(settings)
        text = make_actor_key(make) if make is not None else public_key
        assert text is not None
        appended = register_key(ledger, actor, text, role.value, by)
    if as_json:
        print_json({"actor": actor, "role": role.value, "public_key": text, "seq": appended.seq})
    else:
        say(f"Key {text} signs for {actor}, {role.value}, from entry {appended.seq} on.")


@app.command()
def rotate(
    role: Annotated[Role, typer.Argument(help="Whose key: log, actor (the operator here) or issuer.")],
    finish: Annotated[bool, typer.Option("--finish", help="log: end the overlap, retire the old key.")] = False,
    new: Annotated[
        str | None, typer.Option(help='log: the new key is in a hardware module, at this "pkcs11:..." address.')
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Put a new key in place of the present one. Safe to repeat: it goes on where it stopped.

    The log's key hands over in two steps: `rotate log` adds the new key, and both sign; `rotate log --finish` retires
    the old one, once everybody who checks the log has trust/log-keys.json.
    """
    from api.key_rotation import finish_log_key, rotate_issuer_key, rotate_log_key, rotate_operator_key
    from api.settings import load_settings
    from ledger.errors import InputError, problem

    with reported(as_json):
        if role is not Role.LOG and (finish or new is not None):
            raise InputError(problem("--finish", role.value, "--finish and --new with log alone", "Leave it out."))
        if finish and new is not None:
            raise InputError(problem("--new", "both", "--new without --finish", "Leave one of them out."))
        settings = load_settings()
        if role is Role.ACTOR:
            rotation = rotate_operator_key(settings)
        elif role is Role.ISSUER:
            rotation = rotate_issuer_key(settings)
        else:
            rotation = finish_log_key(settings) if finish else rotate_log_key(settings, new)
    if as_json:
        print_json({"role": rotation.role, "key": rotation.key, "seq": rotation.seq, "done": rotation.done})
    else:
        _say_rotation(rotation)


def _say_rotation(rotation: Rotation) -> None:
    where = "as logged before" if rotation.seq is None else f"by entry {rotation.seq}"
    if rotation.role == "issuer":
        say(f"New issuer certificate {rotation.key}")
    else:
        say(f"New key of the {rotation.role}: {rotation.key}, {where}")
    if rotation.done:
        say("The old key is kept beside it in the keys folder. Restart the server, which still holds the old one.")
    else:
        say(
            "Restart the server: from now on both keys sign. Give trust/log-keys.json to all who check the log,\n"
            "then type: magnet-ledger key rotate log --finish"
        )


@app.command()
def revoke(
    kind: Annotated[Kind, typer.Argument(help="What the key was for.")],
    key: Annotated[
        str,
        typer.Argument(
            help="actor: key id; log: key hash or verifier key; issuer: SHA-256 of the certificate; witness: "
            "verifier key."
        ),
    ],
    reason: Annotated[str, typer.Option(help="Why; it stands in the log for good, so name no person.")],
    compromised_from: Annotated[
        int | None, typer.Option(min=0, help="First entry at which somebody else may have held the key.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """State in the log that a key is not to be trusted any more."""
    from api.deps import open_ledger, operator_actor
    from api.key_rotation import write_trusted_keys
    from api.settings import load_settings
    from ledger.service.key_changes import find_log_key, keyring_now, revoke_key

    with reported(as_json):
        settings = load_settings()
        ledger = open_ledger(settings)
        name = find_log_key(ledger, key) if kind is Kind.LOG else key
        appended = revoke_key(ledger, kind.value, name, reason, operator_actor(settings), compromised_from)
        if kind is Kind.LOG:
            write_trusted_keys(settings, keyring_now(ledger))
    if as_json:
        print_json({"kind": kind.value, "key": name, "seq": appended.seq})
        return
    say(f"Revoked by entry {appended.seq}. docs/keys.md says what to do next.")

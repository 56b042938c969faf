"""`magnet-ledger key`, as a person types it, in a plant of one's own; and a crash between any two of its steps."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from typer.testing import CliRunner

from api import key_rotation
from api.cli.main import app
from api.demo import run_demo
from api.deps import issuer_of, log_keyring_of, now, open_ledger, operator_actor, trust_of
from api.doctor import examine
from api.key_rotation import finish_log_key, rotate_issuer_key, rotate_log_key, rotate_operator_key
from api.settings import Settings, load_settings
from api.setup import make_installation
from certificates.issue import issue_certificate, supersede
from certificates.keys import load_private_key, make_private_folder
from certificates.verify import Trust, verify_certificate
from ledger.errors import BadSignatureError, InputError, StoreError
from ledger.log.checkpoint import format_vkey, parse_vkey, verify_checkpoint
from ledger.log.forms import format_base64
from ledger.log.keyring import parse_keyring
from ledger.report import Outcome, all_hold
from ledger.service.accounts import log_in
from ledger.service.audit import verify_log
from ledger.service.checkpoints import make_checkpoint
from ledger.service.read import head, plant_of

ORIGIN = "ledger.example.com/plant"


@dataclass(frozen=True)
class Answer:
    """What a command came to."""

    returncode: int
    stdout: str
    stderr: str


def run(folder: Path, *words: str, **environment: str) -> Answer:
    """`magnet-ledger` in a folder; in this process, for starting one takes longer than what it does."""
    with contextlib.chdir(folder):
        result = CliRunner().invoke(app, list(words), env=environment)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return Answer(result.exit_code, result.stdout, result.stderr)


@pytest.fixture
def plant(tmp_path: Path) -> Settings:
    """A plant with one entry and a checkpoint."""
    values: dict[str, str | int] = {"origin": ORIGIN, "operator": "op", "issuer_name": "Example Ltd"}
    settings, ledger, _ = make_installation(tmp_path / "plant", values, "GB")
    make_checkpoint(ledger)
    return settings


def log_holds(settings: Settings) -> bool:
    checks = verify_log(open_ledger(settings), log_keyring_of(settings))
    return all_hold(checks) and not [check for check in checks if check.outcome is Outcome.FAILED]


def key_files(settings: Settings) -> set[str]:
    return {path.name for path in settings.keys_dir.iterdir()}


def test_the_log_key_is_rotated_in_two_steps_and_old_notes_still_verify(plant: Settings) -> None:
    before, first_vkey = plant.pin_path.read_text(), (plant.trust_dir / "log.vkey").read_text().strip()
    begun = run(plant.folder, "key", "rotate", "log", "--json")
    assert begun.returncode == 0, begun.stderr
    new = json.loads(begun.stdout)
    assert (new["role"], new["seq"], new["done"]) == ("log", 1, False)
    assert (plant.trust_dir / "log.vkey").read_text().strip() == first_vkey, "who trusts the old key still can"
    overlap = run(plant.folder, "log", "checkpoint").stdout
    for vkey in (first_vkey, new["key"]):
        assert verify_checkpoint(overlap, parse_vkey(vkey)).tree_size == 2

    again = run(plant.folder, "key", "rotate", "log", "--json")
    assert json.loads(again.stdout) == {**new, "seq": None}
    finished = run(plant.folder, "key", "rotate", "log", "--finish", "--json")
    assert json.loads(finished.stdout) == {"role": "log", "key": new["key"], "seq": 2, "done": True}
    assert (plant.trust_dir / "log.vkey").read_text().strip() == new["key"]
    after = run(plant.folder, "log", "checkpoint").stdout
    assert verify_checkpoint(after, parse_vkey(new["key"])).tree_size == 3
    with pytest.raises(BadSignatureError):
        verify_checkpoint(after, parse_vkey(first_vkey))
    ring = parse_keyring((plant.trust_dir / "log-keys.json").read_text())
    assert [(key.text, key.from_size, key.to_size) for key in ring.keys] == [(first_vkey, 0, 3), (new["key"], 2, None)]
    for note in (before, overlap, after):
        ring.verify(note)
    verified = run(plant.folder, "log", "verify", "--json")
    assert verified.returncode == 0, verified.stdout
    assert key_files(plant) >= {"log.key", f"log.key.retired-{parse_vkey(first_vkey).key_hash.hex()}"}
    assert "log.key.next" not in key_files(plant)
    checks = {check.name: check.outcome for check in examine(plant)}
    assert checks["log-key"] is Outcome.PASSED
    assert checks["keys-private"] is Outcome.PASSED


def test_keys_are_listed_and_revoked(plant: Settings) -> None:
    assert run(plant.folder, "key", "rotate", "log").returncode == 0
    assert run(plant.folder, "key", "rotate", "actor").returncode == 0
    listed = json.loads(run(plant.folder, "key", "list", "--json").stdout)
    old, new = listed["log"]
    assert [old["here"], new["here"]] == [True, True]
    first, second = listed["actors"]
    assert (first["ended"], first["until_seq"], second["ended"]) == ("rotated", 2, None)

    name = parse_vkey(old["vkey"]).key_hash.hex()
    revoked = run(plant.folder, "key", "revoke", "log", name, "--reason", "stolen", "--json")
    assert json.loads(revoked.stdout) == {"kind": "log", "key": old["vkey"], "seq": 3}
    words = ("--reason", "stolen, too", "--compromised-from", "1")
    assert run(plant.folder, "key", "revoke", "actor", first["kid"], *words).returncode == 0
    assert run(plant.folder, "key", "revoke", "issuer", "ab" * 32, "--reason", "lost").returncode == 0
    told = run(plant.folder, "key", "list")
    assert told.returncode == 0
    for words_in_it in ("revoked by entry 3", "compromised from entry 1 on", "abababababababab", "op, operator"):
        assert words_in_it in told.stdout
    ring = parse_keyring((plant.trust_dir / "log-keys.json").read_text())
    assert ring.keys[0].revoked is not None
    assert (ring.keys[0].revoked.seq, ring.keys[0].to_size) == (3, 4)
    # The new key signs alone, though the old one's file is still in place; finishing moves it away.
    assert run(plant.folder, "log", "checkpoint").returncode == 0
    assert run(plant.folder, "key", "rotate", "log", "--finish").returncode == 0
    assert run(plant.folder, "log", "checkpoint").returncode == 0
    listed = json.loads(run(plant.folder, "key", "list", "--json").stdout)
    assert [key["here"] for key in listed["log"]] == [False, True]


def test_a_second_operator_with_keys_of_their_own_revokes_the_first(plant: Settings, tmp_path: Path) -> None:
    stick = tmp_path / "stick"
    make_private_folder(stick)
    made = run(
        plant.folder, "key", "register", "op-2", "--role", "operator", "--make", str(stick / "operator.key"), "--json"
    )
    assert made.returncode == 0, made.stderr
    assert json.loads(made.stdout)["seq"] == 1
    laboratory = format_base64(Ed25519PrivateKey.generate().public_key().public_bytes_raw())
    lab = ("key", "register", "lab-1", "--role", "laboratory", "--public-key")
    assert run(plant.folder, *lab, laboratory).returncode == 0
    assert run(plant.folder, *lab, laboratory).returncode == 1, "registered already"
    assert run(plant.folder, *lab, "c2hvcnQ=").returncode == 2
    first = operator_actor(plant)
    words = ("key", "revoke", "actor", first.kid, "--reason", "laptop stolen", "--compromised-from", "1")
    here = {"MAGNET_LEDGER_OPERATOR": "op-2", "MAGNET_LEDGER_KEYS_DIR": str(stick)}
    assert run(plant.folder, *words, **here).returncode == 0
    refused = run(plant.folder, "key", "rotate", "actor")
    assert refused.returncode == 1
    assert "entry 3 revoked" in refused.stderr
    verified = run(plant.folder, "log", "verify")
    assert verified.returncode == 0
    assert "compromised-keys" in verified.stdout


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("rotate", "log", "--finish"), 1),  # nothing under way
        (("rotate", "actor", "--finish"), 2),
        (("rotate", "issuer", "--new", "pkcs11:object=a?module-path=m"), 2),
        (("rotate", "log", "--new", "keys/other.key"), 3),
        (("rotate", "log", "--new", "pkcs11:object=a?module-path=m", "--finish"), 2),
        (("rotate", "log", "--new", "pkcs11:object=a?module-path=m&pin-value=hunter2", "--finish"), 2),
        (("rotate", "log", "--new", "pkcs11:object=a?module-path=m&pin-value=hunter2"), 2),
        (("rotate", "log", "--new", "PKCS11:object=a?pin-value=hunter2"), 3),
        (("revoke", "log", "00000000", "--reason", "x"), 1),
        (("revoke", "actor", "0" * 16, "--reason", "x"), 1),
        (("revoke", "actor", "nobody", "--reason", "x"), 2),
        (("revoke", "log", "{hash}", "--reason", "the only one"), 1),
        (("revoke", "tsa", "x", "--reason", "x"), 2),
        (("register", "lab-1", "--role", "laboratory"), 2),
        (("register", "lab-1", "--role", "laboratory", "--make", "keys/log.key"), 3),
    ],
)
def test_what_cannot_be_done_is_refused_and_changes_nothing(plant: Settings, words: tuple[str, ...], code: int) -> None:
    key_hash = (plant.trust_dir / "log.vkey").read_text().split("+")[1]
    before = key_files(plant)
    done = run(plant.folder, "key", *(word.format(hash=key_hash) for word in words))
    assert done.returncode == code, done.stderr
    assert "hunter2" not in done.stdout + done.stderr
    assert head(open_ledger(plant)).tree_size == 1
    assert key_files(plant) == before


def test_a_rotation_of_the_issuer_puts_key_and_certificate_in_place_together(plant: Settings) -> None:
    old = issuer_of(plant)
    rotation = rotate_issuer_key(plant)
    new = issuer_of(plant)
    assert new.private_key.public_key() != old.private_key.public_key()
    assert new.certificate.subject == old.certificate.subject
    assert new.certificate.issuer == old.certificate.issuer
    assert rotation.seq is None
    assert (
        len([name for name in key_files(plant) if name.startswith(("issuer.key.retired-", "issuer.pem.retired-"))]) == 2
    )
    # An own authority: without its key here, new files must be there.
    (plant.keys_dir / "ca.key").unlink()
    with pytest.raises(StoreError, match="Have your authority certify"):
        rotate_issuer_key(plant)


def test_certificates_issued_on_either_side_of_a_rotation_verify(tmp_path: Path) -> None:
    """Under the old key, in the overlap and under the new key; trusting the history, and each key alone."""
    folder = tmp_path / "demo"
    assert run_demo(folder)
    settings = load_settings(folder)
    only_old = trust_of(settings)
    ledger = open_ledger(settings)
    batch = "OX-Dy-502"
    issuer, actor = issuer_of(settings), operator_actor(settings)
    certificate_id = next(
        name for name, (_, one) in plant_of(ledger).certificates.items() if (one.batch_id, one.kind) == (batch, "co2")
    )
    pdfs = {"before": (folder / "certificates" / f"{batch}-co2.pdf").read_bytes()}
    rotate_log_key(settings)
    pdfs["overlap"] = issue_certificate(open_ledger(settings), batch, "provenance", issuer, actor).pdf
    finish_log_key(settings)
    new_actor_rotation = rotate_operator_key(settings)
    assert new_actor_rotation.seq is not None
    ledger, actor = open_ledger(settings), operator_actor(settings)
    pdfs["after"] = supersede(ledger, certificate_id, issuer, actor, "issued anew under the new keys").pdf
    history = trust_of(settings)
    assert len(history.log_keys) == 1
    only_new = Trust(history.roots, history.vkeys)
    for trust in (history, only_new, only_old):
        for name, pdf in pdfs.items():
            verification = verify_certificate(pdf, trust, now=now())
            if trust is only_new and name == "before":
                # Signed by a key of which neither this verifier nor the certificate knows that it handed over.
                assert not verification.ok
            else:
                assert verification.ok, (name, verification.checks)


# Crashes


class CrashError(Exception):
    """The process ended here."""


def crashing_at(monkeypatch: pytest.MonkeyPatch, step: int) -> Callable[[], int]:
    """Makes the step-th change of file or log, counted from 1, end the process just before. Returns how many came."""
    count = 0

    def wrapped(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            nonlocal count
            count += 1
            if count == step:
                raise CrashError
            return original(*arguments, **options)

        return call

    for name in (
        "write_new_file",
        "write_file",
        "add_log_key",
        "retire_log_key",
        "rotate_actor_key",
        "make_checkpoint",
    ):
        monkeypatch.setattr(key_rotation, name, wrapped(getattr(key_rotation, name)))
    monkeypatch.setattr(key_rotation.os, "link", wrapped(os.link))
    monkeypatch.setattr(key_rotation.os, "replace", wrapped(os.replace))
    return lambda: count


def survives(
    plant: Settings, monkeypatch: pytest.MonkeyPatch, action: Callable[[Settings], object], in_order: Callable[[], bool]
) -> int:
    """Runs the action, ended before its first step, then its second and so on, each time repeated to the end. Every
    time everything must be in order at once and after. Returns the number of steps."""
    step = 0
    while True:
        step += 1
        with monkeypatch.context() as patch:
            steps = crashing_at(patch, step)
            try:
                action(plant)
            except CrashError:
                pass
            else:
                return steps()
        assert in_order(), f"after a crash before step {step}"


def test_a_log_rotation_goes_on_after_a_crash_before_any_of_its_steps(
    plant: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def in_order() -> bool:
        make_checkpoint(open_ledger(plant))
        return log_holds(plant)

    assert survives(plant, monkeypatch, rotate_log_key, in_order) >= 3
    assert survives(plant, monkeypatch, finish_log_key, in_order) >= 3
    assert in_order()
    ranges = plant_of(open_ledger(plant)).keys.log_ranges
    assert len(ranges) == 2, "one handover, however often it was begun"
    ring = log_keyring_of(plant)
    assert [key.to_size is None for key in ring.keys] == [False, True]
    assert (plant.trust_dir / "log.vkey").read_text().strip() == ring.keys[1].text
    assert len([name for name in key_files(plant) if name.startswith("log.key")]) == 2


def test_rotations_of_operator_and_issuer_go_on_after_a_crash_before_any_of_their_steps(
    plant: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = operator_actor(plant)
    survives(plant, monkeypatch, rotate_operator_key, lambda: log_holds(plant))
    assert operator_actor(plant).kid != first.kid
    assert len(plant_of(open_ledger(plant)).keys.actors) == 2

    old = issuer_of(plant).certificate
    survives(plant, monkeypatch, rotate_issuer_key, lambda: True)
    new = issuer_of(plant)
    assert new.certificate != old
    assert new.certificate.public_key() == new.private_key.public_key()
    assert "issuer.key.next" not in key_files(plant)


# Passphrases


def test_a_log_key_made_with_a_passphrase_is_used_with_it_and_handed_over_with_it(tmp_path: Path) -> None:
    secret = {"MAGNET_LEDGER_LOG_KEY_PASSPHRASE": "correct horse"}
    words = ("--origin", ORIGIN, "--operator", "op", "--issuer", "Example Ltd", "--country", "GB")
    assert run(tmp_path, "init", "--dir", "plant", *words, **secret).returncode == 0
    folder = tmp_path / "plant"
    with pytest.raises(StoreError):
        load_private_key(folder / "keys" / "log.key")
    assert run(folder, "log", "checkpoint", **secret).returncode == 0
    refused = run(folder, "log", "checkpoint")
    assert refused.returncode == 3
    assert "passphrase" in refused.stderr
    assert "correct horse" not in refused.stderr
    assert run(folder, "key", "rotate", "log", **secret).returncode == 0
    # From a file named in the settings.
    (tmp_path / "passphrase").write_text("correct horse\n")
    settings = folder / "magnet-ledger.toml"
    settings.write_text(settings.read_text() + f'log_key_passphrase_file = "{tmp_path / "passphrase"}"\n')
    assert run(folder, "key", "rotate", "log", "--finish").returncode == 0
    assert run(folder, "log", "checkpoint").returncode == 0
    assert isinstance(load_private_key(folder / "keys" / "log.key", b"correct horse"), Ed25519PrivateKey)
    both = run(folder, "log", "checkpoint", **secret)
    assert both.returncode == 3, "two sources of one passphrase are one too many"


@pytest.mark.parametrize(
    "line",
    ['log_key_passphrase = "hunter2"', 'log_key_pin = "hunter2"', 'log_key = "pkcs11:object=a?pin-value=hunter2"'],
)
def test_a_secret_in_the_settings_file_is_refused(plant: Settings, line: str) -> None:
    path = plant.folder / "magnet-ledger.toml"
    path.write_text(path.read_text() + f"{line}\n")
    with pytest.raises(InputError) as caught:
        load_settings(plant.folder)
    assert "environment" in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_key_file_of_another_log_key_than_the_trusted_one_signs_nothing(plant: Settings) -> None:
    stranger = format_vkey(ORIGIN, Ed25519PrivateKey.generate().public_key())
    (plant.trust_dir / "log.vkey").write_text(f"{stranger}\n")
    with pytest.raises(BadSignatureError):
        make_checkpoint(open_ledger(plant))
    plant.pin_path.unlink()
    with pytest.raises((BadSignatureError, StoreError)):
        make_checkpoint(open_ledger(plant))


# Accounts


def test_accounts_are_listed_disabled_and_given_another_password(plant: Settings) -> None:
    def said(*words: str) -> str:
        answer = run(plant.folder, "account", *words)
        assert answer.returncode == 0, answer.stderr
        return answer.stdout

    first = said("add", "ada").split("password ")[1].split()[0]
    key = said("api-key", "ada").split()[0]
    second = said("password", "ada").split("password ")[1].split()[0]
    ledger = open_ledger(plant)
    assert log_in(ledger, "ada", first, timedelta(hours=1)) is None
    assert log_in(ledger, "ada", second, timedelta(hours=1)) is not None
    said("disable", "ada")
    assert log_in(ledger, "ada", second, timedelta(hours=1)) is None
    (listed,) = json.loads(said("list", "--json"))
    assert (listed["username"], listed["disabled"], listed["api_keys"][0]["key"]) == ("ada", True, key[:12])
    assert "disabled" in said("list")
    said("enable", "ada")
    said("delete-api-key", key[:12])
    assert json.loads(said("list", "--json"))[0]["api_keys"] == []
    for words in (("password", "eve"), ("disable", "eve"), ("enable", "eve"), ("delete-api-key", key[:12])):
        assert run(plant.folder, "account", *words).returncode == 1

"""The log's key from a file, with and without passphrase, and from a hardware module (SoftHSM2)."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from ledger.errors import BadSignatureError, InputError, StoreError
from ledger.log.checkpoint import Checkpoint, make_verifier_key, verify_checkpoint
from ledger.store.key_files import private_key_pem, write_new_file
from ledger.store.signers import ModuleKey, open_signer, parse_pkcs11_uri
from tests.store_samples import LOG_KEY

ROOT = Path(__file__).parents[3]
PIN = "4321"

MODULES = (
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/local/lib/softhsm/libsofthsm2.so",
)


# Files


@pytest.mark.parametrize("passphrase", [None, "correct horse, Größe".encode()])
def test_a_key_file_signs_as_the_key_in_it(tmp_path: Path, passphrase: bytes | None) -> None:
    write_new_file(tmp_path / "log.key", private_key_pem(LOG_KEY, passphrase))
    signer = open_signer("log.key", tmp_path, passphrase=passphrase)
    assert signer.public_key() == LOG_KEY.public_key()
    assert signer.sign(b"text") == LOG_KEY.sign(b"text")


def test_an_encrypted_key_file_shows_the_key_to_nobody_without_the_passphrase(tmp_path: Path) -> None:
    write_new_file(tmp_path / "log.key", private_key_pem(LOG_KEY, b"right"))
    assert (tmp_path / "log.key").read_bytes().startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----")
    for passphrase in (None, b"wrong", b""):
        with pytest.raises(StoreError, match="passphrase"):
            open_signer("log.key", tmp_path, passphrase=passphrase)


def test_a_passphrase_for_a_file_that_is_not_encrypted_is_not_passed_over(tmp_path: Path) -> None:
    write_new_file(tmp_path / "log.key", private_key_pem(LOG_KEY))
    with pytest.raises(StoreError, match="not encrypted"):
        open_signer("log.key", tmp_path, passphrase=b"right")


def test_a_file_that_is_missing_open_to_others_or_of_another_kind_of_key_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError):
        open_signer("log.key", tmp_path)
    write_new_file(tmp_path / "p256.key", private_key_pem(ec.generate_private_key(ec.SECP256R1())))
    with pytest.raises(StoreError, match="an Ed25519 key"):
        open_signer("p256.key", tmp_path)
    write_new_file(tmp_path / "open.key", private_key_pem(LOG_KEY), mode=0o640)
    with pytest.raises(StoreError, match="only its owner"):
        open_signer("open.key", tmp_path)
    write_new_file(tmp_path / "not.key", b"nothing")
    with pytest.raises(StoreError, match="PEM"):
        open_signer("not.key", tmp_path)


# Addresses of keys in modules


def test_an_address_is_read_attribute_by_attribute() -> None:
    assert parse_pkcs11_uri(
        "pkcs11:token=My%20Token;serial=00ab;manufacturer=M;model=X;slot-id=3;object=log%3Bkey;id=%01%ff;type=private"
        "?module-path=/usr/lib/m.so&pin-source=file:/run/pin&pin-value=a%26b"
    ) == ModuleKey("/usr/lib/m.so", "My Token", "00ab", "M", "X", 3, "log;key", b"\x01\xff", "file:/run/pin", "a&b")
    assert parse_pkcs11_uri("pkcs11:id=%05?module-path=m.so") == ModuleKey("m.so", id=b"\x05")


@pytest.mark.parametrize(
    "text",
    [
        "", "pkcs11", "http:object=a?module-path=m", "pkcs11:?module-path=m.so", "pkcs11:object=a",
        "pkcs11:object=a;object=a?module-path=m", "pkcs11:object=a?module-path=m&module-path=m",
        "pkcs11:object=a;library-version=3?module-path=m", "pkcs11:object=a?module-name=m",
        "pkcs11:object?module-path=m", "pkcs11:object=a;?module-path=m", "pkcs11:object=a%2?module-path=m",
        "pkcs11:object=a b?module-path=m",
        "pkcs11:object=%ff?module-path=m", "pkcs11:object=a;type=cert?module-path=m",
        "pkcs11:object=a;slot-id=x?module-path=m", "pkcs11:object=a;slot-id=01?module-path=m",
    ],
)  # fmt: skip
def test_an_address_that_is_not_of_its_form_is_refused(text: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_pkcs11_uri(text)
    assert caught.value.problems[0].field == "/log_key"


def test_no_error_shows_a_pin() -> None:
    for text in ("pkcs11:object=a?pin-value=4321", "pkcs11:object=a?module-path=m&pin-value=4321&pin-value=4321"):
        with pytest.raises(InputError) as caught:
            parse_pkcs11_uri(text)
        assert "4321" not in str(caught.value)
    assert "4321" not in repr(parse_pkcs11_uri("pkcs11:object=a?module-path=m&pin-value=4321"))


# SoftHSM2


class Module:
    """A token named "plant" of the tests' own."""

    def __init__(self, folder: Path) -> None:
        found = [name for name in MODULES if Path(name).exists()]
        assert found, "these tests need SoftHSM2: run `./run test` as root, or type: apt-get install softhsm2"
        self.path = found[0]
        (folder / "tokens").mkdir()
        config = folder / "softhsm2.conf"
        config.write_text(
            f"directories.tokendir = {folder / 'tokens'}\nobjectstore.backend = file\nlog.level = ERROR\n"
        )
        self.environment = {**os.environ, "SOFTHSM2_CONF": str(config), "SOFTHSM_MODULE": self.path}
        self.folder = folder
        init = ["softhsm2-util", "--init-token", "--free", "--label", "plant", "--so-pin", "87654321", "--pin", PIN]
        subprocess.run(init, env=self.environment, check=True, capture_output=True)

    def uri(self, label: str, **query: str) -> str:
        """Address of the key with this label."""
        more = "".join(f"&{name.replace('_', '-')}={value}" for name, value in query.items())
        return f"pkcs11:token=plant;object={label}?module-path={self.path}{more}"

    def run(self, *arguments: str, pin: str | None = PIN) -> subprocess.CompletedProcess[str]:
        """`softhsm_signer.py` with these arguments."""
        environment = {**self.environment, "PYTHONPATH": str(ROOT), **({} if pin is None else {"PIN": pin})}
        script = str(Path(__file__).with_name("softhsm_signer.py"))
        return subprocess.run(
            [sys.executable, script, *arguments], cwd=self.folder, env=environment, capture_output=True, text=True
        )


@pytest.fixture(scope="module")
def module(tmp_path_factory: pytest.TempPathFactory) -> Module:
    return Module(tmp_path_factory.mktemp("softhsm"))


@pytest.fixture(scope="module")
def public_keys(module: Module) -> dict[str, Ed25519PublicKey]:
    """Keys "log" and "next" in the module, by label."""
    made = module.run("make", "log", "next")
    assert made.returncode == 0, made.stderr
    keys = [Ed25519PublicKey.from_public_bytes(bytes.fromhex(line)) for line in made.stdout.split()]
    return dict(zip(("log", "next"), keys, strict=True))


def test_a_checkpoint_signed_in_a_module_verifies_like_any_other(
    module: Module, public_keys: dict[str, Ed25519PublicKey]
) -> None:
    pin_file = module.folder / "pin"
    pin_file.write_text(f"{PIN}\n")
    (module.folder / "pointer.key").write_text(module.uri("next") + "\n")
    expected = Checkpoint("example.com/hsm", 7, bytes(range(32)))
    stranger = make_verifier_key("example.com/hsm", Ed25519PrivateKey.generate().public_key())
    for where, pin in (
        ([module.uri("log"), module.uri("next")], PIN),  # both keys of a handover, the PIN from the environment
        ([module.uri("log", pin_source=f"file:{pin_file}")], None),
        ([module.uri("log", pin_value=PIN)], None),
        (["pointer.key"], PIN),  # a file that says where the key is
    ):
        signed = module.run("note", *where, pin=pin)
        assert signed.returncode == 0, signed.stdout + signed.stderr
        for one in where:
            key = public_keys["next" if one in (module.uri("next"), "pointer.key") else "log"]
            assert verify_checkpoint(signed.stdout, make_verifier_key("example.com/hsm", key)) == expected
        with pytest.raises(BadSignatureError):
            verify_checkpoint(signed.stdout, stranger)


@pytest.mark.parametrize(
    ("change", "pin", "says"),
    [
        (("token=plant", "token=other"), PIN, "0 tokens fit"),
        (("object=log", "object=none"), PIN, "none in"),
        (("libsofthsm2.so", "nothing.so"), PIN, "nothing.so"),
        (("object=log", "object=log"), "1111", "log in"),
        (("object=log", "object=log"), None, "log in"),
    ],
)
def test_what_cannot_be_reached_ends_in_an_error_with_the_next_step(
    module: Module, public_keys: dict[str, Ed25519PublicKey], change: tuple[str, str], pin: str | None, says: str
) -> None:
    done = module.run("note", module.uri("log").replace(*change), pin=pin)
    assert done.returncode == 3, done.stderr
    assert done.stdout.startswith("StoreError: /log_key")
    assert says in done.stdout
    assert "Check token, PIN" in done.stdout


def test_threads_share_a_key_and_a_lost_module_is_opened_again(
    module: Module, public_keys: dict[str, Ed25519PublicKey]
) -> None:
    shared = module.run("threads", module.uri("log"))
    assert (shared.returncode, shared.stdout) == (0, "40\n"), shared.stderr
    lost = module.run("lost", module.uri("log"))
    assert lost.returncode == 0, lost.stderr
    said, again = lost.stdout.splitlines()
    assert "try again" in said
    assert again == "True"


def test_a_pin_that_was_refused_is_not_tried_again_before_the_token_locks(
    module: Module, public_keys: dict[str, Ed25519PublicKey]
) -> None:
    done = module.run("refused", module.uri("log"))
    assert done.returncode == 0, done.stderr
    first, second, signed = done.stdout.splitlines()
    assert "not tried again" in first
    assert "refused before" not in first
    assert "refused before" in second
    assert signed == "64", "another PIN is tried"
    assert "1111" not in first + second


def test_a_log_hands_over_from_a_file_to_a_module_and_goes_on(
    module: Module, public_keys: dict[str, Ed25519PublicKey], tmp_path: Path
) -> None:
    environment = {name: value for name, value in module.environment.items() if not name.startswith("MAGNET_LEDGER_")}
    environment["MAGNET_LEDGER_LOG_KEY_PIN"] = PIN

    def run(*words: str, folder: Path = tmp_path / "plant") -> str:
        program = str(Path(sys.executable).with_name("magnet-ledger"))
        done = subprocess.run([program, *words], cwd=folder, env=environment, capture_output=True, text=True)
        return done.stdout if done.returncode == 0 else f"exit {done.returncode}: {done.stdout}{done.stderr}"

    words = ("--origin", "example.com/hsm", "--operator", "op", "--issuer", "Example Ltd", "--country", "GB")
    run("init", "--dir", "plant", *words, folder=tmp_path)  # entries 0 and 1: the operator's key, the factors
    # A key that is not there is found out before anything rests on it.
    assert run("key", "rotate", "log", "--new", module.uri("none")).startswith("exit 3")
    assert "by entry 2" in run("key", "rotate", "log", "--new", module.uri("log"))
    vkey = make_verifier_key("example.com/hsm", public_keys["log"])
    assert verify_checkpoint(run("log", "checkpoint"), vkey).tree_size == 3
    assert "by entry 3" in run("key", "rotate", "log", "--finish")
    assert (tmp_path / "plant" / "keys" / "log.key").read_text() == module.uri("log") + "\n"
    assert verify_checkpoint(run("log", "checkpoint"), vkey).tree_size == 4
    assert "The log holds" in run("log", "verify")
    assert "log-key: checkpoints can be signed" in run("doctor")

"""The one-file verifier, run for real: a good pack verifies, each named corruption is found and named."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from ledger.log.checkpoint import format_vkey, parse_vkey
from ledger.log.cosignature import format_witness_vkey
from ledger.log.proof import verify_tlog_proof
from tests.integration.pack.conftest import VERIFIER, Verify
from tests.local_tsa import LocalTsa
from tests.pack_corruptions import CORRUPTIONS, FORGER_KEY, POLICY, PREVIOUS, Corruption
from tests.pack_samples import SECOND_VKEY, SIZE, SIZES, Sample
from tests.store_samples import ORIGIN, VKEY
from tests.witness_samples import WITNESSES

ALWAYS_OPEN = {"meaning", "timestamp-signature"}
"""What no pack lets the verifier check: that entries are true, and that an authority's certificate is to be trusted."""


def test_the_environment_of_the_auditor_holds_nothing_of_ours(auditors_python: Path) -> None:
    code = "import importlib.metadata as m; print(sorted(d.name.lower() for d in m.distributions()))"
    done = subprocess.run([auditors_python, "-I", "-c", code], capture_output=True, text=True, check=True)
    of_every_environment = {"pip", "setuptools"}
    assert set(ast.literal_eval(done.stdout)) - of_every_environment == {"cffi", "cryptography", "pycparser"}


def test_a_good_pack_with_all_that_an_auditor_can_bring_verifies(
    verify: Verify, good_pack: bytes, sample: Sample, tmp_path: Path
) -> None:
    kept = tmp_path / "kept"
    kept.write_text(sample.notes[2], encoding="utf-8")
    verdict = verify(good_pack, *POLICY, "--previous", str(kept))
    assert verdict.exit_code == 0
    assert verdict.value["verdict"] == "verified"
    assert verdict.findings == set()
    not_passed = {one["check"] for one in verdict.value["checks"] if one["outcome"] != "passed"}
    assert not_passed == ALWAYS_OPEN


def test_a_pack_checked_against_its_own_keys_alone_is_not_called_verified(verify: Verify, good_pack: bytes) -> None:
    verdict = verify(good_pack)
    assert (verdict.exit_code, verdict.value["verdict"]) == (0, "consistent")
    for check in ("trusted-key", "previous-checkpoint", "trusted-witnesses"):
        assert verdict.outcome(check) == "not checked"


@pytest.mark.parametrize("vkey", [VKEY, SECOND_VKEY], ids=["retired", "present"])
def test_trust_in_one_key_of_the_log_goes_on_to_the_key_that_it_handed_over_to(
    verify: Verify, good_pack: bytes, vkey: str
) -> None:
    assert verify(good_pack, "--vkey", vkey).value["verdict"] == "verified"


def test_a_key_that_the_auditor_trusts_and_the_pack_does_not_know_fails(verify: Verify, good_pack: bytes) -> None:
    verdict = verify(good_pack, "--vkey", format_vkey(ORIGIN, FORGER_KEY.public_key()))
    assert verdict.exit_code == 1
    assert verdict.findings == {("trusted-key", None, "checkpoint")}


def test_more_witnesses_than_have_signed_can_be_demanded(verify: Verify, good_pack: bytes) -> None:
    keys = [part for one in WITNESSES for part in ("--witness", format_witness_vkey(one))]
    verdict = verify(good_pack, "--vkey", VKEY, *keys, "--needed", "3")
    assert verdict.findings == {("witness-policy", None, "checkpoint")}


@pytest.mark.parametrize("size", SIZES)
def test_every_checkpoint_that_an_auditor_may_have_kept_is_extended_by_the_pack(
    verify: Verify, good_pack: bytes, sample: Sample, tmp_path: Path, size: int
) -> None:
    kept = tmp_path / "kept"
    kept.write_text(sample.notes[SIZES.index(size)], encoding="utf-8")
    verdict = verify(good_pack, "--vkey", VKEY, "--previous", str(kept))
    assert (verdict.exit_code, verdict.outcome("previous-checkpoint")) == (0, "passed")


@pytest.mark.parametrize("seq", [0, 1, 255, 256, SIZE - 1])
def test_an_entry_is_shown_with_a_proof_that_our_own_verifier_takes(
    verify: Verify, good_pack: bytes, sample: Sample, seq: int
) -> None:
    value = verify(good_pack, "--vkey", VKEY, "--entry", str(seq)).value
    assert value["entry"].encode() == sample.entries[seq]
    verify_tlog_proof(value["proof"], sample.entries[seq], parse_vkey(SECOND_VKEY))


def test_several_processes_say_what_one_says(verify: Verify, good_pack: bytes) -> None:
    assert verify(good_pack, "--jobs", "1").value == verify(good_pack, "--jobs", "3").value


def test_the_command_named_for_time_stamps_accepts_them(
    verify: Verify, good_pack: bytes, sample: Sample, pack_tsa: LocalTsa, tmp_path: Path
) -> None:
    (detail,) = [one["detail"] for one in verify(good_pack).value["checks"] if one["check"] == "timestamp-signature"]
    words = detail[detail.index("openssl ts") :].split()[:9]
    (tmp_path / "timestamps").mkdir()
    for name, data in sample.members.items():
        if name.startswith("timestamps/"):
            (tmp_path / name).write_bytes(data)
    (tmp_path / "ROOT.pem").write_bytes(pack_tsa.root)
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "Verification: OK"), done.stderr


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("corruption", CORRUPTIONS, ids=lambda one: one.name)
def test_a_corruption_is_found_and_named(
    verify: Verify, sample: Sample, tmp_path: Path, corruption: Corruption
) -> None:
    kept = tmp_path / "kept"
    kept.write_text(sample.notes[-1], encoding="utf-8")
    arguments = [str(kept) if argument == PREVIOUS else argument for argument in corruption.arguments]
    verdict = verify(corruption.make(sample), *arguments)
    assert (corruption.check, corruption.seq, corruption.field) in verdict.findings
    assert (verdict.exit_code, verdict.value["verdict"]) == (1, "not verified")
    assert verdict.talk == ""


def test_there_are_forty_corruptions_and_more_each_of_its_own_name() -> None:
    names = [one.name for one in CORRUPTIONS]
    assert len(set(names)) == len(names) >= 40


def test_every_check_that_can_fail_is_made_to_fail_by_a_corruption(verify: Verify, good_pack: bytes) -> None:
    # The others are passed or not checked, and never failed.
    checks = {one["check"] for one in verify(good_pack).value["checks"]}
    assert checks - {one.check for one in CORRUPTIONS} == ALWAYS_OPEN | {"trusted-witnesses", "compromised-keys"}


def test_the_verifier_imports_nothing_but_the_standard_library_and_cryptography() -> None:
    imported = set()
    for node in ast.walk(ast.parse(VERIFIER.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            imported.update(alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            assert node.module is not None
            imported.add(node.module.split(".")[0])
    assert imported - sys.stdlib_module_names == {"cryptography"}


def test_without_cryptography_it_says_what_to_type(tmp_path: Path, good_pack: bytes) -> None:
    (tmp_path / "pack.zip").write_bytes(good_pack)
    # -S leaves out site-packages, and so every library that is installed.
    command = [sys.executable, "-I", "-S", str(VERIFIER), "pack.zip"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert "pip install cryptography" in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("missing.zip",),
        (),
        ("verify.py", "--vkey", "nonsense"),
        ("verify.py", "--jobs", "0"),
        ("verify.py", "--previous", "no"),
    ],
)
def test_wrong_use_is_told_from_a_negative_verdict(
    auditors_python: Path, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    (tmp_path / "verify.py").write_bytes(VERIFIER.read_bytes())
    command = [str(auditors_python), "-I", "verify.py", *arguments]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr
    assert "usage:" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_report_for_people_names_findings_and_says_which_program_it_is(
    auditors_python: Path, tmp_path: Path, sample: Sample
) -> None:
    (corruption,) = [one for one in CORRUPTIONS if one.name == "a_mass_was_changed_and_everything_after_it_mended"]
    (tmp_path / "pack.zip").write_bytes(corruption.make(sample))
    command = [str(auditors_python), "-I", str(VERIFIER), "pack.zip"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    lines = done.stdout.splitlines()
    assert done.returncode == 1
    assert lines[0] == "NOT VERIFIED."
    assert any("entry-signature: entry 20 /sig: key" in line for line in lines)
    assert any(line.startswith("This program: verify.py 1.0, SHA-256 ") for line in lines)

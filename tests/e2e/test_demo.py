"""The whole journey through the doors that a person uses: the commands, and other people's PDF tools."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
from decimal import Decimal
from pathlib import Path

import pytest

from tests.e2e.conftest import Command

# BEL-DEMO-1 worked by hand in docs/concepts/footprint.md: kg CO2e per kg by allocation.
PER_KG = {
    ("BEL1-OX-NdPr", "mass"): "13.0674",
    ("BEL1-OX-Dy", "mass"): "13.0674",
    ("BEL1-OX-NdPr", "economic"): "11.9512",
    ("BEL1-OX-Dy", "economic"): "38.2437",
    ("BEL1-OX-Nd", "element"): "13.1149",
    ("BEL1-OX-Pr", "element"): "12.6614",
    ("BEL1-OX-Dy", "element"): "13.3286",
}
OXIDE_KG = {"BEL1-OX-Nd": "256.626", "BEL1-OX-Pr": "38.474", "BEL1-OX-Dy": "13.084", "BEL1-OX-NdPr": "295.100"}
CURRENT = ("OX-Dy-502-co2", "OX-Dy-502-provenance", "OX-NdPr-501-A-co2", "OX-NdPr-501-A-provenance")


def copy_of(demo_folder: Path, tmp_path: Path) -> Path:
    """A copy of the demonstration that a test may change."""
    return Path(shutil.copytree(demo_folder, tmp_path / "demo"))


@pytest.mark.parametrize(("batch_id", "allocation"), list(PER_KG))
def test_bel_demo_1_gives_the_oracles_figures(
    demo_folder: Path, command: Command, batch_id: str, allocation: str
) -> None:
    answer = command(demo_folder, "footprint", "show", batch_id, "--allocation", allocation, "--json")
    assert answer.returncode == 0, answer.stderr
    value = json.loads(answer.stdout)
    assert Decimal(value["system_kg_co2e"]) == Decimal("4027.1562")
    assert abs(Decimal(value["kg_co2e_per_kg"]) - Decimal(PER_KG[batch_id, allocation])) <= Decimal("0.0002")
    assert abs(Decimal(value["mass_kg"]) - Decimal(OXIDE_KG[batch_id])) <= Decimal("0.002")
    assert sum(Decimal(line["allocated_kg_co2e"]) for line in value["lines"]) == Decimal(value["total_kg_co2e"])


@pytest.mark.parametrize("name", CURRENT)
def test_each_certificate_verifies_with_status_and_page_checked(demo_folder: Path, command: Command, name: str) -> None:
    answer = command(demo_folder, "certificate", "verify", f"certificates/{name}.pdf", "--json")
    assert answer.returncode == 0, answer.stdout + answer.stderr
    report = json.loads(answer.stdout)
    outcomes = {check["check"]: check["outcome"] for check in report["checks"]}
    assert report["verdict"] == "valid"
    # The demonstration has neither witnesses nor a time stamping authority, and that must not look green.
    for nobody_else in ("witnesses", "checkpoint-time", "timestamp"):
        assert outcomes.pop(nobody_else) == "not checked"
    assert set(outcomes.values()) == {"passed"}, outcomes


def test_the_certificate_that_the_correction_touched_is_superseded(demo_folder: Path, command: Command) -> None:
    superseded = sorted((demo_folder / "certificates" / "superseded").glob("*.pdf"))
    assert [path.name for path in superseded] == ["OX-NdPr-501-A-co2.pdf"]
    answer = command(demo_folder, "certificate", "verify", str(superseded[0]), "--json")
    report = json.loads(answer.stdout)
    assert answer.returncode == 1
    assert report["verdict"] == "superseded"
    assert [check["check"] for check in report["checks"] if check["outcome"] == "failed"] == ["status"]


def test_a_stranger_without_the_ledger_reads_that_the_status_is_unknown(
    demo_folder: Path, command: Command, tmp_path: Path
) -> None:
    trust = demo_folder / "trust"
    pdf = demo_folder / "certificates" / "OX-Dy-502-co2.pdf"
    answer = command(tmp_path, "certificate", "verify", str(pdf), "--trust", str(trust))
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert "valid when issued, status unknown" in answer.stdout
    assert "Batch: OX-Dy-502" in answer.stdout
    assert "kg CO₂e per kg" in answer.stdout


def test_without_any_trusted_key_nothing_is_called_valid(demo_folder: Path, command: Command, tmp_path: Path) -> None:
    empty = tmp_path / "trust"
    empty.mkdir()
    pdf = demo_folder / "certificates" / "OX-Dy-502-co2.pdf"
    answer = command(tmp_path, "certificate", "verify", str(pdf), "--trust", str(empty), "--json")
    assert answer.returncode == 1
    assert json.loads(answer.stdout)["ok"] is False


@pytest.mark.parametrize("name", CURRENT)
def test_other_peoples_tools_accept_each_certificate(demo_folder: Path, name: str) -> None:
    pdf = demo_folder / "certificates" / f"{name}.pdf"
    signature = subprocess.run(["pdfsig", "-nocert", str(pdf)], capture_output=True, text=True, check=True).stdout
    assert "Signature is Valid." in signature
    assert "Total document signed" in signature
    files = subprocess.run(["pdfdetach", "-list", str(pdf)], capture_output=True, text=True, check=True).stdout
    assert "certificate.json" in files
    assert "evidence.json" in files
    fonts = subprocess.run(["pdffonts", str(pdf)], capture_output=True, text=True, check=True).stdout.splitlines()[2:]
    assert fonts
    # Columns of pdffonts from the right: object number (2), uni, sub, emb.
    assert {line.split()[-5] for line in fonts} == {"yes"}
    assert not [line for line in fonts if "Helvetica" in line]


def test_the_corrected_reading_raises_the_footprint_by_what_the_meter_missed(
    demo_folder: Path, command: Command
) -> None:
    before = json.loads((demo_folder / "certificates" / "superseded" / "OX-NdPr-501-A-co2.json").read_text())
    after = json.loads((demo_folder / "certificates" / "OX-NdPr-501-A-co2.json").read_text())
    assert before["certificate_id"] != after["certificate_id"]
    answer = command(demo_folder, "footprint", "show", "OX-NdPr-501-A", "--json")
    lines = json.loads(answer.stdout)["lines"]
    meter = next(line for line in lines if line["source_id"] == "S7" and line["activity"] == "electricity")
    assert meter["amount"] == "1038"


def test_the_log_holds_and_a_changed_byte_is_named(demo_folder: Path, command: Command, tmp_path: Path) -> None:
    folder = copy_of(demo_folder, tmp_path)
    good = command(folder, "log", "verify", "--json")
    assert good.returncode == 0, good.stdout + good.stderr
    with sqlite3.connect(folder / "ledger.db") as connection:
        for (trigger,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            connection.execute(f"DROP TRIGGER {trigger}")
        (data,) = connection.execute("SELECT data FROM entry WHERE seq = 7").fetchone()
        connection.execute(
            "UPDATE entry SET data = ? WHERE seq = 7", (data[:200] + bytes([data[200] ^ 1]) + data[201:],)
        )
    connection.close()
    bad = command(folder, "log", "verify", "--json")
    assert bad.returncode == 1
    failures = [check for check in json.loads(bad.stdout)["checks"] if check["outcome"] == "failed"]
    assert 7 in [check.get("seq") for check in failures]


def test_a_cut_tail_is_seen_through_the_pinned_checkpoint(demo_folder: Path, command: Command, tmp_path: Path) -> None:
    folder = copy_of(demo_folder, tmp_path)
    with sqlite3.connect(folder / "ledger.db") as connection:
        for (trigger,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            connection.execute(f"DROP TRIGGER {trigger}")
        connection.execute("DELETE FROM entry WHERE seq = (SELECT max(seq) FROM entry)")
    connection.close()
    answer = command(folder, "log", "verify")
    assert answer.returncode == 1
    assert "pin" in answer.stdout


def test_an_import_that_is_repeated_or_bad_changes_nothing(demo_folder: Path, command: Command, tmp_path: Path) -> None:
    folder = copy_of(demo_folder, tmp_path)
    size = json.loads(command(folder, "batch", "list", "--json").stdout)["batches"]
    event = {
        "type": "receipt",
        "body": {
            "batch_id": "IN-900",
            "site_id": "BEL",
            "description": "magnets",
            "form": "magnets",
            "consumer_class": "post-consumer",
            "received_on": "2023-02-30",
            "dry_mass_kg": -5,
            "colour": "grey",
        },
    }
    document = {"format": "magnet-ledger-campaign/1", "campaign": "BAD", "purpose": "bad input", "events": [event]}
    (folder / "bad.json").write_text(json.dumps(document))
    answer = command(folder, "campaign", "import", "bad.json")
    assert answer.returncode == 2
    for field in ("/events/0/body/received_on", "/events/0/body/dry_mass_kg", "/events/0/body/colour"):
        assert field in answer.stderr
    assert json.loads(command(folder, "batch", "list", "--json").stdout)["batches"] == size


def test_the_demonstration_run_again_verifies_what_stands(demo_folder: Path, command: Command, tmp_path: Path) -> None:
    folder = copy_of(demo_folder, tmp_path)
    answer = command(tmp_path, "demo", "--dir", str(folder), "--no-serve")
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert "verifying" in answer.stdout


def test_private_keys_are_readable_by_their_owner_only(demo_folder: Path) -> None:
    keys = list((demo_folder / "keys").glob("*.key"))
    assert {key.name for key in keys} == {"log.key", "operator.key", "issuer.key", "ca.key"}
    assert {key.stat().st_mode & 0o777 for key in keys} == {0o600}
    assert (demo_folder / "keys").stat().st_mode & 0o777 == 0o700


def test_doctor_finds_the_demonstration_in_order(demo_folder: Path, command: Command) -> None:
    answer = command(demo_folder, "doctor", "--json")
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert json.loads(answer.stdout)["ok"] is True


def test_a_correction_names_the_certificates_that_it_touches(
    demo_folder: Path, command: Command, tmp_path: Path
) -> None:
    folder = copy_of(demo_folder, tmp_path)
    assert json.loads(command(folder, "certificate", "affected", "--json").stdout) == {"certificates": []}
    # A reading of the Dy line alone: of the four certificates in force, the Dy oxide's footprint states it.
    correction = {
        "pointer": "/activity/0/amount",
        "old": "96",
        "new": "97",
        "reason": "a test",
        "corrected_on": "2023-10-17",
    }
    event = {"type": "correction", "corrects": "S8", "body": correction}
    document = {"format": "magnet-ledger-campaign/1", "campaign": "X", "purpose": "a test", "events": [event]}
    (folder / "x.json").write_text(json.dumps(document))
    answer = json.loads(command(folder, "campaign", "import", "x.json", "--json").stdout)
    stated = json.loads((folder / "certificates" / "OX-Dy-502-co2.json").read_text())["certificate_id"]
    assert answer["affected_certificates"] == [stated]
    (row,) = json.loads(command(folder, "certificate", "affected", "--json").stdout)["certificates"]
    assert (row["certificate_id"], row["batch_id"], row["kind"]) == (stated, "OX-Dy-502", "co2")
    # Nobody has superseded it yet, and still its status must not read as good. What rests on other figures stays valid:
    # the provenance of the same oxide goes through S8 as well, but states no meter reading.
    bad = command(folder, "certificate", "verify", "certificates/OX-Dy-502-co2.pdf", "--json")
    assert bad.returncode == 1
    (failure,) = [check for check in json.loads(bad.stdout)["checks"] if check["outcome"] == "failed"]
    assert failure["check"] == "status"
    assert "corrected since by entry" in failure["detail"]
    for name in ("OX-Dy-502-provenance", "OX-NdPr-501-A-co2", "OX-NdPr-501-A-provenance"):
        assert command(folder, "certificate", "verify", f"certificates/{name}.pdf").returncode == 0, name


def test_the_headline_share_of_recycled_rare_earths_is_rounded_once(demo_folder: Path, tmp_path: Path) -> None:
    pdf = demo_folder / "certificates" / "OX-NdPr-501-A-provenance.pdf"
    out = tmp_path / "certificate.json"
    subprocess.run(["pdfdetach", "-savefile", "certificate.json", "-o", str(out), str(pdf)], check=True)
    whole = json.loads(out.read_text())["recycled_rare_earths"]
    # Nd by lot goes as 141.8906 : 96.1573 : 77.4, Pr as 622.3274 x 3.3 % = 20.5368 : 409.18 x 5.8 % = 23.7324 :
    # 360 x 5.4 % = 19.44. Post-consumer: Nd 238.0479 / 315.4479 = 75.463 %, Pr 44.2692 / 63.7092 = 69.486 %. The oxide
    # holds Nd : Pr = 82.45 / 1.16638 : 17.25 / 1.20816 = 70.689 : 14.278, so together
    # (75.463 x 70.689 + 69.486 x 14.278) / 84.967 = 74.459 %; adding the lots' rounded shares would give 74.4.
    assert whole == {
        "post_consumer_percent": "74.5",
        "pre_consumer_percent": "25.5",
        "primary_percent": "0.0",
        "internal_percent": "0.0",
    }

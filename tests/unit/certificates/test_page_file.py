"""The unsigned file: same bytes in every process, fonts embedded, attachments, metadata; read by independent tools."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from io import BytesIO
from pathlib import Path
from typing import Any

import pikepdf
import pypdfium2
import pytest
from PIL import Image, ImageCms

from certificates import fonts
from certificates.colour_profile import srgb_profile
from certificates.pdfa import CONTENT_NAME, EVIDENCE_NAME, render_base
from certificates.render import render_page
from ledger.log.canonical import canonical_bytes
from tests.certificates_samples import SAMPLES, co2_sample, crowded_provenance_sample, provenance_sample

ROOT = Path(__file__).parents[3]
EVIDENCE: dict[str, Any] = {"v": 1, "entries": []}


@pytest.fixture(scope="module")
def base() -> bytes:
    return render_base(co2_sample(), EVIDENCE)


@pytest.fixture
def base_file(base: bytes, tmp_path: Path) -> Path:
    path = tmp_path / "certificate.pdf"
    path.write_bytes(base)
    return path


def run(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.mark.slow
def test_two_processes_with_unlike_hash_seeds_give_the_same_bytes() -> None:
    program = (
        "import hashlib; from certificates.pdfa import render_base; from tests.certificates_samples import SAMPLES\n"
        "for make in SAMPLES.values(): print(hashlib.sha256(render_base(make(), {'v': 1, 'entries': []})).hexdigest())"
    )

    def digests(seed: str) -> list[str]:
        environment = os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT), "TZ": f"UTC+{seed}"}
        command = [sys.executable, "-c", program]
        return subprocess.run(
            command, check=True, capture_output=True, text=True, cwd=ROOT, env=environment
        ).stdout.split()

    here = [hashlib.sha256(render_base(make(), EVIDENCE)).hexdigest() for make in SAMPLES.values()]

    assert digests("1") == digests("2") == here
    assert len(set(here)) == len(SAMPLES)


def test_the_page_depends_on_the_content_alone(base: bytes) -> None:
    other = render_base(co2_sample(), {"v": 1, "entries": ["another"]})

    def streams(data: bytes) -> list[bytes]:
        with pikepdf.open(BytesIO(data)) as pdf:
            return [page.Contents.read_bytes() for page in pdf.pages]

    assert base != other
    assert streams(base) == streams(other)
    assert render_page(co2_sample()) != render_page(co2_sample() | {"certificate_id": "another"})


def test_every_font_is_embedded_and_subset_and_has_a_map_to_unicode(base_file: Path) -> None:
    lines = run("pdffonts", str(base_file)).splitlines()[2:]

    names = {line.split()[0].split("+")[1] for line in lines}
    assert names == {fonts.LIGHT, fonts.REGULAR, fonts.MEDIUM, fonts.SEMIBOLD, fonts.MONO}
    for line in lines:
        assert line.split()[-5:-2] == ["yes", "yes", "yes"]  # emb, sub, uni


def test_each_weight_is_a_font_of_its_own() -> None:
    files = {name: fonts.font_bytes(name) for name in (fonts.LIGHT, fonts.REGULAR, fonts.MEDIUM, fonts.SEMIBOLD)}

    assert len(set(files.values())) == 4
    # The heavier the weight, the wider the letters.
    widths = [fonts.text_width("Magnet", name, 10) for name in files]
    assert widths == sorted(widths)


def test_no_character_map_has_a_zero_target(base: bytes) -> None:
    with pikepdf.open(BytesIO(base)) as pdf:
        maps = [item.ToUnicode.read_bytes() for item in pdf.objects if "/ToUnicode" in _keys(item)]

    assert len(maps) == 5
    for each in maps:
        assert b"> <0000>" not in each
        assert b"beginbfchar" in each


def _keys(item: object) -> list[str]:
    return list(item.keys()) if isinstance(item, pikepdf.Dictionary) else []


def test_attachments_are_listed_and_hold_the_canonical_bytes(base_file: Path, tmp_path: Path) -> None:
    listed = run("pdfdetach", "-list", str(base_file))
    run("pdfdetach", "-saveall", "-o", str(tmp_path), str(base_file))

    assert CONTENT_NAME in listed
    assert EVIDENCE_NAME in listed
    assert (tmp_path / CONTENT_NAME).read_bytes() == canonical_bytes(co2_sample())
    assert json.loads((tmp_path / EVIDENCE_NAME).read_bytes()) == EVIDENCE


def test_attachments_are_associated_files_dated_when_issued(base: bytes) -> None:
    with pikepdf.open(BytesIO(base)) as pdf:
        for item in pdf.Root.AF:
            assert item.AFRelationship == "/Data"
            assert str(item.EF.F.Params.CreationDate) == "D:20261124190000Z"
            assert item.EF.F.Subtype == "/application/json"


def test_the_catalogue_names_language_title_and_colour(base: bytes) -> None:
    with pikepdf.open(BytesIO(base)) as pdf:
        assert str(pdf.Root.Lang) == "en"
        assert pdf.Root.ViewerPreferences.DisplayDocTitle
        intent = pdf.Root.OutputIntents[0]
        assert intent.S == "/GTS_PDFA1"
        assert intent.DestOutputProfile.read_bytes() == srgb_profile()
        metadata = pdf.Root.Metadata.read_bytes().decode()
        assert "CO₂ certificate CO2-BEL1-OX-NdPr-0001: NdPr oxide, batch BEL1-OX-NdPr" in metadata
        assert "<pdfaid:conformance>B</pdfaid:conformance>" in metadata
        # Not tagged, so it must not say that it is.
        assert "/MarkInfo" not in pdf.Root
        assert pdf.pdf_version == "1.7"


def test_marks_of_xml_in_a_title_are_escaped() -> None:
    content = co2_sample()
    content["batch"]["product"] = "oxide <b> & \u0007 co"

    with pikepdf.open(BytesIO(render_base(content, EVIDENCE))) as pdf:
        metadata = pdf.Root.Metadata.read_bytes().decode()

    assert "oxide &lt;b&gt; &amp;  co" in metadata


def test_qpdf_finds_no_fault(base_file: Path) -> None:
    assert "No syntax or stream encoding errors found" in run("qpdf", "--check", str(base_file))


@pytest.mark.parametrize("name", SAMPLES)
def test_an_independent_reader_finds_the_words_in_order_and_every_letter_on_the_page(name: str) -> None:
    pdf = pypdfium2.PdfDocument(render_base(SAMPLES[name](), EVIDENCE))

    for number, page in enumerate(pdf, 1):
        width, height = page.get_size()
        text = page.get_textpage()
        words = text.get_text_range()
        assert f"Page {number} of {len(pdf)}" in words
        for index in range(text.count_chars()):
            left, bottom, right, top = text.get_charbox(index)
            assert 0 <= left <= right <= width
            assert 0 <= bottom <= top <= height


def test_poppler_extracts_the_headline_with_all_its_digits(base_file: Path) -> None:
    words = run("pdftotext", "-f", "1", "-l", "1", str(base_file), "-")

    assert "13.0674" in words
    assert "3856.182614" in words.replace("\n", "").replace(" ", "")
    assert "PROVISIONAL" in words


def test_white_paper_stays_around_the_page() -> None:
    # 20 pt at the sides and the bottom are blank: nothing is cut off by a printer.
    pdf = pypdfium2.PdfDocument(render_base(provenance_sample(), EVIDENCE))
    image = pdf[0].render(scale=1).to_pil().convert("L")
    width, height = image.size

    for strip in ((0, 0, 20, height), (width - 20, 0, width, height), (0, height - 20, width, height)):
        assert image.crop(strip).getextrema() == (255, 255)


def test_the_colour_profile_is_srgb() -> None:
    profile = ImageCms.ImageCmsProfile(BytesIO(srgb_profile()))
    ramp = Image.new("RGB", (256, 3))
    ramp.putdata([(value, 255 - value, value // 2) for _ in range(3) for value in range(256)])

    converted = ImageCms.profileToProfile(ramp, ImageCms.createProfile("sRGB"), profile)

    # The library's own sRGB and ours agree within one step of 255 everywhere.
    assert converted is not None
    differences = [abs(a - b) for a, b in zip(ramp.tobytes(), converted.tobytes(), strict=True)]
    assert max(differences) <= 1


def test_the_crowded_provenance_draws_its_streams_within_one_page() -> None:
    pdf = pypdfium2.PdfDocument(render_base(crowded_provenance_sample(), EVIDENCE))
    words = [page.get_textpage().get_text_range() for page in pdf]

    # Twelve lots of one level: their sum stands beside the first row, by hand
    # 0.01 + 900 + 0.2 + (40 + 47 + 54 + 61 + 68 + 75 + 82 + 89 + 96 = 612) = 1512.21.
    assert any("12 lots" in each and "1512.210 kg" in each for each in words)

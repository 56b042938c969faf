"""A dishonest issuer that holds every key: what it can make still ends in a verdict that is not positive.

The signature over the file is right in all of them, and so is whatever the test does not change.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pikepdf
import pytest
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter

from certificates.checklist import NOT_VALID
from certificates.issue import Issued
from ledger.report import Outcome
from tests.certified_plant import (
    CertifiedPlant,
    failed_checks,
    outcome_of,
    resigned,
    signed_with_update,
    verify,
)

# The update that signs does more than sign: readers show what it says, and the drawn file before it is the true one


def dictionary(**entries: Any) -> generic.DictionaryObject:
    return generic.DictionaryObject({generic.pdf_name(f"/{key}"): value for key, value in entries.items()})


def nothing_besides(writer: IncrementalPdfFileWriter) -> None:
    """Signs, and does nothing else."""


def replace_the_page(writer: IncrementalPdfFileWriter) -> None:
    page = writer.root["/Pages"]["/Kids"][0]
    shown = page["/Contents"].data.replace(b"(PROVISIONAL)", b"(VERIFIED BY TUV)")
    assert b"VERIFIED BY TUV" in shown
    page["/Contents"] = writer.add_object(generic.StreamObject(stream_data=shown))
    writer.update_container(page)


def insert_a_first_page(writer: IncrementalPdfFileWriter) -> None:
    pages = writer.root["/Pages"]
    true = pages["/Kids"][0]
    text = generic.StreamObject(stream_data=b"BT /F1 30 Tf 50 400 Td (0.1 kg CO2e) Tj ET")
    page = dictionary(
        Type=generic.pdf_name("/Page"),
        Parent=writer.root.raw_get("/Pages"),
        MediaBox=true["/MediaBox"],
        Resources=true["/Resources"],
        Contents=writer.add_object(text),
    )
    pages["/Kids"].insert(0, writer.add_object(page))
    pages["/Count"] = generic.NumberObject(int(pages["/Count"]) + 1)
    writer.update_container(pages)


def script() -> generic.DictionaryObject:
    return dictionary(S=generic.pdf_name("/JavaScript"), JS=generic.pdf_string("app.alert(1)"))


def run_a_script(writer: IncrementalPdfFileWriter) -> None:
    writer.root["/OpenAction"] = script()
    writer.update_root()


def attach_a_file_to_the_page(writer: IncrementalPdfFileWriter) -> None:
    stream = generic.StreamObject(stream_data=b'{"kg_co2e_per_kg":"0.1"}')
    stream["/Type"] = generic.pdf_name("/EmbeddedFile")
    file = dictionary(
        Type=generic.pdf_name("/Filespec"),
        F=generic.pdf_string("certificate.json"),
        EF=dictionary(F=writer.add_object(stream)),
    )
    note = dictionary(
        Type=generic.pdf_name("/Annot"),
        Subtype=generic.pdf_name("/FileAttachment"),
        Rect=generic.ArrayObject(map(generic.NumberObject, (10, 10, 40, 40))),
        FS=file,
    )
    page = writer.root["/Pages"]["/Kids"][0]
    page["/Annots"] = generic.ArrayObject([writer.add_object(note)])
    writer.update_container(page)


def hide_a_second_signature(writer: IncrementalPdfFileWriter) -> None:
    writer.root["/Other"] = dictionary(ByteRange=generic.ArrayObject(map(generic.NumberObject, (0, 1, 2, 3))))
    writer.update_root()


def add_an_object_that_nothing_uses(writer: IncrementalPdfFileWriter) -> None:
    writer.add_object(generic.NumberObject(7))


def change_the_metadata(writer: IncrementalPdfFileWriter) -> None:
    metadata = writer.root["/Metadata"]
    metadata._data = metadata.data.replace(b"<pdf:Producer>", b"<pdf:Producer>TUV ")
    writer.update_container(metadata)


def test_the_helper_that_signs_with_an_update_makes_a_true_certificate_where_nothing_is_added(
    co2: Issued, plant: CertifiedPlant
) -> None:
    # Else the tests below would show nothing.
    assert failed_checks(verify(signed_with_update(co2, plant, nothing_besides), plant.trust)) == []


@pytest.mark.parametrize(
    "change",
    [
        replace_the_page,
        insert_a_first_page,
        run_a_script,
        attach_a_file_to_the_page,
        hide_a_second_signature,
        add_an_object_that_nothing_uses,
        change_the_metadata,
    ],
)
@pytest.mark.parametrize("drawn_again", [True, False])
def test_an_update_that_does_more_than_sign_is_detected_with_and_without_drawing_the_page(
    co2: Issued,
    plant: CertifiedPlant,
    change: Callable[[IncrementalPdfFileWriter], None],
    drawn_again: bool,
) -> None:
    pdf = signed_with_update(co2, plant, change)
    verification = verify(pdf, plant.trust, **({} if drawn_again else {"render": None}))
    assert verification.verdict == NOT_VALID
    assert failed_checks(verification) == ["signed-update"]
    assert verification.content is None


# The drawn file itself does more than show, and the verifier cannot draw it again


def open_with_a_script(document: pikepdf.Pdf) -> None:
    document.Root.OpenAction = document.make_indirect(pikepdf.Dictionary(S=pikepdf.Name.JavaScript, JS="app.alert(1)"))


def run_a_script_on_the_page(document: pikepdf.Pdf) -> None:
    document.pages[1].obj.AA = pikepdf.Dictionary(O=pikepdf.Dictionary(S=pikepdf.Name.JavaScript, JS="app.alert(1)"))


def keep_a_third_file_aside(document: pikepdf.Pdf) -> None:
    stream = document.make_stream(b"{}", Type=pikepdf.Name.EmbeddedFile)
    file = pikepdf.Dictionary(Type=pikepdf.Name.Filespec, F="proof.json", EF=pikepdf.Dictionary(F=stream))
    document.pages[1].obj.PieceInfo = pikepdf.Dictionary(Other=pikepdf.Array([file]))


def keep_a_second_signature_aside(document: pikepdf.Pdf) -> None:
    document.pages[1].obj.PieceInfo = pikepdf.Dictionary(
        Other=pikepdf.Dictionary(ByteRange=pikepdf.Array([0, 1, 2, 3]))
    )


def annotate_the_second_page(document: pikepdf.Pdf) -> None:
    note = pikepdf.Dictionary(
        Type=pikepdf.Name.Annot, Subtype=pikepdf.Name.FreeText, Rect=pikepdf.Array([50, 50, 300, 100]), Contents="0.1"
    )
    document.pages[1].obj.Annots = pikepdf.Array([document.make_indirect(note)])


@pytest.mark.parametrize(
    "change",
    [
        open_with_a_script,
        run_a_script_on_the_page,
        keep_a_third_file_aside,
        keep_a_second_signature_aside,
        annotate_the_second_page,
    ],
)
def test_a_drawn_file_that_does_more_than_show_is_detected_without_drawing_it_again(
    co2: Issued, plant: CertifiedPlant, change: Callable[[pikepdf.Pdf], None]
) -> None:
    verification = verify(resigned(co2, plant, change), plant.trust, render=None)
    assert verification.verdict == NOT_VALID
    assert failed_checks(verification) == ["signature"]
    assert outcome_of(verification, "page") is Outcome.NOT_CHECKED

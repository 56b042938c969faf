"""What is erased takes nothing from a certificate: not from the file, not from its status."""

from __future__ import annotations

import pytest

from certificates.asked_log import AskedLog
from ledger.report import Outcome
from ledger.service.private_fields import erase_subject, list_private
from tests.certified_plant import CertifiedPlant, failed_checks, outcome_of, verify
from tests.store_samples import ACTOR


@pytest.mark.parametrize("kind", ["co2", "provenance"])
def test_a_certificate_verifies_after_every_private_value_behind_it_was_erased(
    own_plant: CertifiedPlant, kind: str
) -> None:
    issued = own_plant.issue(kind=kind)
    ledger = own_plant.ledger
    subjects = {one.subject for one in list_private(ledger) if one.state == "kept"}
    assert subjects, "the example campaigns hold private values"
    for subject in sorted(subjects):
        erase_subject(ledger, subject, ACTOR, "supplier asked for it")
    assert {one.state for one in list_private(ledger)} == {"erased"}
    assert failed_checks(verify(issued.pdf, own_plant.trust)) == []
    verification = verify(issued.pdf, own_plant.trust, log=AskedLog(ledger))
    assert failed_checks(verification) == []
    assert outcome_of(verification, "status") is Outcome.PASSED

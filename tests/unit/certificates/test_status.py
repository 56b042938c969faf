"""What the log says of a certificate, and how a difference between two contents is named."""

import pytest

from certificates.evidence import first_difference
from certificates.status import Status, certificate_status
from ledger.material.entries import CertificateIssued, CertificateRevoked
from ledger.material.plant import EMPTY_PLANT, Plant


def issued(certificate_id: str, supersedes: str | None = None, reason: str | None = None) -> CertificateIssued:
    return CertificateIssued(
        certificate_id=certificate_id,
        kind="co2",
        batch_id="OX-1",
        content_sha256="0" * 64,
        signer_sha256="0" * 64,
        basis_tree_size=5,
        supersedes=supersedes,
        reason=reason,
    )


PLANT = Plant(
    certificates={
        "first": (5, issued("first")),
        "second": (7, issued("second", "first", "meter corrected")),
        "third": (9, issued("third")),
        "fourth": (10, issued("fourth", "third", "new logo")),
    },
    revoked={"third": (11, CertificateRevoked(certificate_id="third", reason="wrong buyer"))},
)


@pytest.mark.parametrize(
    "status",
    [
        Status("first", "superseded", 7, by="second", reason="meter corrected"),
        Status("second", "valid", 7),
        Status("third", "revoked", 11, reason="wrong buyer"),  # superseded as well: revoked says more
        Status("unheard-of", "unknown"),
    ],
)
def test_the_status_of_a_certificate_is_what_the_log_says_last(status: Status) -> None:
    assert certificate_status(PLANT, status.certificate_id) == status


def test_an_empty_log_knows_no_certificate() -> None:
    assert certificate_status(EMPTY_PLANT, "first").state == "unknown"


@pytest.mark.parametrize(
    ("expected", "found", "difference"),
    [
        ({"a": 1}, {"a": 1}, None),
        ([{"a": [1, "x"]}], [{"a": [1, "x"]}], None),
        ({"a": "1"}, {"a": "2"}, "/a is '2', '1' expected"),
        ({"a": {"b": ["x", "y"]}}, {"a": {"b": ["x", "z"]}}, "/a/b/1 is 'z', 'y' expected"),
        ({"a": 1, "b": 2}, {"a": 1}, "/b is missing, 2 expected"),
        ({"a": 1}, {"a": 1, "b": 2}, "/b is 2, but should not be there"),
        (["x"], ["x", "y"], " has 2 items, 1 expected"),
        ({"a": 1}, {"a": True}, "/a is True, 1 expected"),  # equal in Python, not in JSON
        ({"a": "1"}, {"a": 1}, "/a is 1, '1' expected"),
        ({"a": []}, {"a": {}}, "/a is {}, [] expected"),
        ({"a": None}, {}, "/a is missing, None expected"),
    ],
)
def test_the_first_difference_is_named_by_its_pointer(expected: object, found: object, difference: str | None) -> None:
    assert first_difference(expected, found) == difference

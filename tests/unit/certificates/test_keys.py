"""The issuer's key files: made once, kept private, refused when they do not fit."""

import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from certificates.keys import load_issuer, make_demo_authority, private_key_pem, write_demo_authority, write_new_file
from ledger.errors import StoreError

MADE_AT = datetime(2026, 11, 24, 18, 0, tzinfo=UTC)


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    return tmp_path / "keys", tmp_path / "trust"


def test_a_written_issuer_is_loaded_again(folders: tuple[Path, Path]) -> None:
    authority = make_demo_authority("Belfast Demo Plant", "GB", MADE_AT)
    write_demo_authority(authority, *folders)
    issuer = load_issuer(folders[0])
    assert issuer.certificate == authority.issuer.certificate
    assert issuer.private_key.public_key() == authority.issuer.private_key.public_key()
    assert x509.load_pem_x509_certificate((folders[1] / "ca.pem").read_bytes()) == authority.root


def test_private_keys_are_readable_by_their_owner_alone(folders: tuple[Path, Path]) -> None:
    write_demo_authority(make_demo_authority("Belfast Demo Plant", "GB", MADE_AT), *folders)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folders[0].iterdir()}
    assert modes == {"ca.key": 0o600, "issuer.key": 0o600, "issuer.pem": 0o600}
    assert stat.S_IMODE(folders[0].stat().st_mode) == 0o700


def test_an_authority_is_never_written_over_another(folders: tuple[Path, Path]) -> None:
    write_demo_authority(make_demo_authority("Belfast Demo Plant", "GB", MADE_AT), *folders)
    before = {path: path.read_bytes() for folder in folders for path in folder.iterdir()}
    with pytest.raises(StoreError) as error:
        write_demo_authority(make_demo_authority("Belfast Demo Plant", "GB", MADE_AT), *folders)
    assert "ca.key" in error.value.problems[0].value
    assert {path: path.read_bytes() for folder in folders for path in folder.iterdir()} == before


def test_writing_refuses_an_existing_file_and_leaves_no_temporary_behind(tmp_path: Path) -> None:
    target = tmp_path / "a.key"
    target.write_bytes(b"first")
    with pytest.raises(StoreError):
        write_new_file(target, b"second")
    assert target.read_bytes() == b"first"
    assert list(tmp_path.iterdir()) == [target]


def test_a_key_that_others_may_read_is_refused(folders: tuple[Path, Path]) -> None:
    write_demo_authority(make_demo_authority("Belfast Demo Plant", "GB", MADE_AT), *folders)
    (folders[0] / "issuer.key").chmod(0o640)
    with pytest.raises(StoreError) as error:
        load_issuer(folders[0])
    assert "chmod 600" in error.value.problems[0].next_step


def test_a_key_that_does_not_belong_to_the_certificate_is_refused(folders: tuple[Path, Path]) -> None:
    write_demo_authority(make_demo_authority("Belfast Demo Plant", "GB", MADE_AT), *folders)
    (folders[0] / "issuer.key").unlink()
    write_new_file(folders[0] / "issuer.key", private_key_pem(ec.generate_private_key(ec.SECP256R1())))
    with pytest.raises(StoreError, match="belong together"):
        load_issuer(folders[0])


def test_a_key_of_another_curve_is_refused(folders: tuple[Path, Path]) -> None:
    write_demo_authority(make_demo_authority("Belfast Demo Plant", "GB", MADE_AT), *folders)
    (folders[0] / "issuer.key").unlink()
    write_new_file(folders[0] / "issuer.key", private_key_pem(ec.generate_private_key(ec.SECP384R1())))
    with pytest.raises(StoreError, match="P-256"):
        load_issuer(folders[0])


def test_the_issuer_may_sign_documents_and_nothing_else() -> None:
    certificate = make_demo_authority("Belfast Demo Plant", "GB", MADE_AT).issuer.certificate
    usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    assert usage.digital_signature
    assert usage.content_commitment  # the name of nonRepudiation since X.509 of 2001
    assert not usage.key_cert_sign
    assert not usage.key_encipherment
    assert not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca

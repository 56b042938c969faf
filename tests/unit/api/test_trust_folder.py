"""The trust folder: what a file there is trusted for is in its name."""

from __future__ import annotations

from pathlib import Path

from api.deps import trust_of, tsa_roots_of
from api.settings import Settings


def test_roots_of_time_stamping_are_no_roots_of_issuers_and_the_other_way_round(tmp_path: Path) -> None:
    """However the ending is spelled."""
    for name in ("ca.pem", "b.tsa.pem", "A.TSA.pem", "tsa.pem", "log.vkey", "notes.txt"):
        (tmp_path / name).write_text(name)
    settings = Settings(trust_dir=tmp_path)
    trust = trust_of(settings)
    assert set(trust.roots) == {b"ca.pem", b"tsa.pem"}
    assert set(trust.tsa_roots) == set(tsa_roots_of(settings)) == {b"b.tsa.pem", b"A.TSA.pem"}
    assert trust.vkeys == ("log.vkey",)

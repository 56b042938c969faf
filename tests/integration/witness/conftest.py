"""A witness in a folder of its own, and one that is served on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from api.witness.folder import Witness
from tests.served_witness import Served, make_test_witness, serve


@pytest.fixture
def witness(tmp_path: Path) -> Witness:
    """A witness that knows the log of the samples and has seen nothing."""
    return make_test_witness(tmp_path / "witness")


@pytest.fixture
def served(witness: Witness) -> Iterator[Served]:
    """The same witness behind a real server."""
    with serve(witness) as running:
        yield running

"""The witness as others meet it: over HTTP, on a real server, each status of the protocol."""

from __future__ import annotations

import hashlib
import http.client
from urllib.parse import urlsplit

import pytest

from ledger.log.add_checkpoint import MAX_REQUEST_BYTES, AddCheckpoint, format_request
from ledger.log.checkpoint import Checkpoint, sign_checkpoint
from ledger.log.cosignature import cosignatures_of, format_witness_vkey
from ledger.log.forms import format_base64
from ledger.log.merkle import EMPTY_ROOT, root_hash
from tests.log_samples import ORIGIN, OTHER_KEY
from tests.served_witness import FORKED, LEAVES, NOW, Served, note, request


def call(served: Served, method: str, path: str, body: bytes | None = None) -> tuple[int, str, str]:
    """(status, content type, text)."""
    connection = http.client.HTTPConnection(urlsplit(served.url).netloc, timeout=10)
    try:
        connection.request(method, path, body)
        response = connection.getresponse()
        return response.status, response.getheader("Content-Type") or "", response.read().decode()
    finally:
        connection.close()


def post(served: Served, asked: AddCheckpoint | str) -> tuple[int, str, str]:
    text = asked if isinstance(asked, str) else format_request(asked)
    return call(served, "POST", "/add-checkpoint", text.encode())


def test_growth_is_answered_with_a_line_that_verifies(served: Served) -> None:
    for old, new in ((0, 5), (5, 5), (5, 8), (8, 40)):
        status, _, line = post(served, request(old, new))
        assert status == 200
        assert cosignatures_of(note(new) + line, [served.key]) == [(served.key, int(NOW.timestamp()))]


def test_a_stale_size_is_answered_with_the_one_seen_in_its_own_type(served: Served) -> None:
    post(served, request(0, 5))
    assert post(served, request(3, 8)) == (409, "text/x.tlog.size", "5\n")
    assert post(served, request(0, 3))[::2] == (409, "5\n")


def test_what_does_not_continue_is_unprocessable(served: Served) -> None:
    post(served, request(0, 7))
    assert post(served, request(7, 7, FORKED))[0] == 422
    assert post(served, request(7, 9, FORKED))[0] == 422
    assert post(served, AddCheckpoint(7, (), note(9)))[0] == 422
    assert post(served, request(7, 9))[0] == 200


def test_an_empty_tree_must_have_the_empty_root(served: Served) -> None:
    wrong = format_request(request(0, 0)).replace(format_base64(EMPTY_ROOT), format_base64(LEAVES[0]))
    assert post(served, wrong)[0] == 422
    assert post(served, request(0, 0))[0] == 200


def test_an_unknown_log_is_not_found(served: Served) -> None:
    other = sign_checkpoint(Checkpoint("example.com/other", 5, root_hash(LEAVES[:5])), OTHER_KEY)
    assert post(served, AddCheckpoint(0, (), other))[0] == 404


def test_a_strange_signature_is_forbidden(served: Served) -> None:
    other = sign_checkpoint(Checkpoint(ORIGIN, 5, root_hash(LEAVES[:5])), OTHER_KEY)
    assert post(served, AddCheckpoint(0, (), other))[0] == 403


@pytest.mark.parametrize("text", ["", "old 0\n", "old 00\n\nx", "\r\n" * 50, "old 9\n\n" + note(5)])
def test_nonsense_is_a_bad_request(served: Served, text: str) -> None:
    assert post(served, text)[0] == 400


def test_a_body_beyond_the_limit_is_refused(served: Served) -> None:
    assert post(served, "x" * (MAX_REQUEST_BYTES + 1))[0] == 413


def test_only_post_asks(served: Served) -> None:
    assert call(served, "GET", "/add-checkpoint")[0] == 405
    assert call(served, "POST", "/")[0] == 405
    assert call(served, "GET", "/docs")[0] == 404


def test_what_was_cosigned_last_can_be_read_by_monitors(served: Served) -> None:
    path = f"/{hashlib.sha256(ORIGIN.encode()).hexdigest()}/checkpoint"
    assert call(served, "GET", path)[0] == 404
    post(served, request(0, 5))
    line = post(served, request(5, 8))[2]
    assert call(served, "GET", path)[::2] == (200, note(8) + line)
    assert call(served, "GET", f"/{'0' * 64}/checkpoint")[0] == 404


def test_the_verifier_key_can_be_compared(served: Served) -> None:
    assert call(served, "GET", "/")[2] == format_witness_vkey(served.key) + "\n"


def test_a_witness_without_its_file_says_so_and_signs_nothing(served: Served) -> None:
    served.witness.store.path.unlink()
    assert post(served, request(0, 5))[0] == 503

"""The log's side: asking witnesses over HTTP, good ones, slow ones and hostile ones."""

from __future__ import annotations

import socket
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from api.witness.client import WitnessClient, check_url
from api.witness.trusted import parse_witness_file, read_policy
from ledger.errors import InputError
from ledger.log.add_checkpoint import parse_request
from ledger.log.cosignature import WitnessPolicy, check_policy, cosign, format_witness_vkey
from ledger.log.merkle import consistency_path
from ledger.report import Check, Outcome
from tests.log_samples import ORIGIN
from tests.served_witness import FORKED, LEAVES, NAME, NOW, Served, make_test_witness, note, request, serve
from tests.witness_samples import KEYS, NAMES, SIGNED_AT, WITNESSES, line_of


def ask(policy: WitnessPolicy, size: int, leaves: list[bytes] = LEAVES) -> tuple[str, list[Check]]:
    return ask_by(WitnessClient(policy, lambda: NOW), size, leaves)


def ask_by(client: WitnessClient, size: int, leaves: list[bytes] = LEAVES) -> tuple[str, list[Check]]:
    return client.ask(note(size, leaves), lambda old: consistency_path(leaves, old, size))


def policy_of(*served: Served, needed: int = 1) -> WitnessPolicy:
    return WitnessPolicy(needed, tuple(one.key for one in served), tuple(one.url for one in served))


def test_a_witness_s_line_is_added_to_the_note(served: Served) -> None:
    cosigned, findings = ask(policy_of(served), 5)
    assert findings == []
    assert cosigned.startswith(note(5))
    assert check_policy(cosigned, policy_of(served), NOW).outcome is Outcome.PASSED


def test_a_witness_that_has_seen_more_than_was_thought_is_asked_again_from_there(served: Served) -> None:
    served.witness.add_checkpoint(request(0, 5))
    cosigned, findings = ask(policy_of(served), 9)  # this client knows nothing of size 5
    assert findings == []
    assert check_policy(cosigned, policy_of(served), NOW).outcome is Outcome.PASSED


def test_a_client_that_goes_on_asks_once_a_checkpoint(served: Served) -> None:
    client = WitnessClient(policy_of(served), lambda: NOW)
    olds: list[int] = []
    for size in (5, 6, 9):

        def path_from(old: int, size: int = size) -> list[bytes]:
            olds.append(old)
            return consistency_path(LEAVES, old, size)

        assert client.ask(note(size), path_from)[1] == []
    assert olds == [5, 6]  # from 0 the path is empty and not asked for


def test_a_witness_that_has_signed_already_is_not_asked_again(served: Served) -> None:
    client = WitnessClient(policy_of(served), lambda: NOW)
    cosigned, _ = ask_by(client, 5)
    served.witness.store.path.unlink()
    assert client.ask(cosigned, lambda old: []) == (cosigned, [])


def test_a_witness_without_address_is_not_asked(served: Served) -> None:
    assert ask(WitnessPolicy(1, (served.key,), ("",)), 5) == (note(5), [])
    assert ask(WitnessPolicy(1, (served.key,)), 5) == (note(5), [])


def test_the_one_that_answers_counts_and_the_one_that_is_down_is_named(served: Served) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        down = f"http://127.0.0.1:{unused.getsockname()[1]}"
        policy = WitnessPolicy(1, (WITNESSES[1], served.key), (down, served.url))
        cosigned, (finding,) = ask(policy, 5)
    assert check_policy(cosigned, policy, NOW).outcome is Outcome.PASSED
    assert finding.outcome is Outcome.NOT_CHECKED
    assert not finding.required
    assert NAMES[1] in finding.detail


def test_of_two_stories_a_witness_cosigns_one_and_refuses_the_other(served: Served) -> None:
    # Two instances of one log, the same key, histories that part at entry 4; one witness.
    honest, other = (WitnessClient(policy_of(served), lambda: NOW) for _ in range(2))
    assert ask_by(honest, 7)[1] == []
    for size in (7, 9):
        unchanged, (finding,) = ask_by(other, size, FORKED)
        assert unchanged == note(size, FORKED)
        assert finding.outcome is Outcome.FAILED
        assert "another history" in finding.detail
    assert ask_by(honest, 9)[1] == []
    assert [path.suffix for path in sorted(served.witness.refused_dir.iterdir())] == [".split-view", ".request"]


def test_a_log_that_was_taken_back_gets_no_line(served: Served) -> None:
    assert ask(policy_of(served), 9)[1] == []
    unchanged, (finding,) = ask(policy_of(served), 5)
    assert unchanged == note(5)
    assert finding.outcome is Outcome.FAILED
    assert "size '9'" in finding.detail


def test_a_witness_that_does_not_know_the_log_says_so(tmp_path: Path) -> None:
    witness = make_test_witness(tmp_path / "w")
    with sqlite3.connect(witness.store.path) as connection:
        connection.execute("DELETE FROM log_key")
    with serve(witness) as served:
        _, (finding,) = ask(policy_of(served), 5)
    assert finding.outcome is Outcome.FAILED
    assert "must add the log's verifier key" in finding.detail


# Hostile witnesses: each has the key of the samples' first witness.

Answer = Callable[[BaseHTTPRequestHandler, bytes], None]


@contextmanager
def hostile(answer: Answer) -> Iterator[tuple[WitnessPolicy, list[bytes]]]:
    """A server that answers each call by `answer`; a policy that needs it; the bodies that it was sent."""
    bodies: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            bodies.append(body)
            answer(self, body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield WitnessPolicy(1, WITNESSES[:1], (f"http://127.0.0.1:{server.server_port}",)), bodies
    finally:
        server.shutdown()
        server.server_close()


def say(status: int, text: str, **headers: str) -> Answer:
    def answer(handler: BaseHTTPRequestHandler, _: bytes) -> None:
        data = text.encode()
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(data)))
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(data)

    return answer


def endless(handler: BaseHTTPRequestHandler, _: bytes) -> None:
    handler.send_response(200)
    handler.end_headers()
    try:
        while True:
            handler.wfile.write(b"x" * 4096)
    except OSError:
        pass


WRONG = {
    "nothing": say(200, ""),
    "no line": say(200, "hello\n"),
    "a line of somebody else": say(200, line_of(1, note(5))),
    "a line over another checkpoint": say(200, line_of(0, note(6))),
    "a line with its end cut off": say(200, line_of(0, note(5)).rstrip("\n")),
    "a line from the future": say(200, line_of(0, note(5), SIGNED_AT + 3600)),
    "a line from an hour ago": say(200, line_of(0, note(5), SIGNED_AT - 3600)),
    "two lines, the first from the future": say(
        200, line_of(0, note(5), SIGNED_AT + 3600) + line_of(0, note(5), SIGNED_AT)
    ),
    "a line in its name by another key": say(200, cosign(note(5), NAMES[0], KEYS[1], SIGNED_AT)),
    "a line and nonsense": say(200, line_of(0, note(5)) + "and more\n"),
    "a larger size": say(409, "6\n"),
    "no size": say(409, "many\n"),
    "a size again and again": say(409, "3\n"),
    "unknown log": say(404, "who?\n"),
    "not trusted": say(403, "no\n"),
    "inconsistent": say(422, "no\n"),
}
NO_ANSWER = {
    "an error": say(500, "oops\n"),
    "too busy": say(503, "later\n", **{"Retry-After": "86400"}),
    "elsewhere": say(302, "", Location="http://127.0.0.1:1/add-checkpoint"),
    "too much": say(200, "x" * 20_000),
    "without end": endless,
    "no http": lambda handler, _: handler.wfile.write(b"\x00\xff" * 100) and None,
    "cut off": lambda handler, _: handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 400\r\n\r\nx") and None,
}


@pytest.mark.parametrize("answer", WRONG.values(), ids=WRONG.keys())
def test_a_wrong_answer_fails_and_leaves_the_note_as_it_was(answer: Answer) -> None:
    with hostile(answer) as (policy, bodies):
        unchanged, (finding,) = ask(policy, 5)
    assert unchanged == note(5)
    assert finding.outcome is Outcome.FAILED
    assert finding.detail.startswith(f"{NAME}: ")
    assert 1 <= len(bodies) <= 2


@pytest.mark.parametrize("answer", NO_ANSWER.values(), ids=NO_ANSWER.keys())
def test_no_answer_is_not_checked_and_leaves_the_note_as_it_was(answer: Answer) -> None:
    with hostile(answer) as (policy, bodies):
        began = time.monotonic()
        unchanged, (finding,) = ask(policy, 5)
    assert time.monotonic() - began < 10
    assert unchanged == note(5)
    assert finding.outcome is Outcome.NOT_CHECKED
    assert finding.detail.startswith(f"{NAME}: ")
    assert 1 <= len(bodies) <= 3


def test_a_line_beside_lines_of_strangers_is_found_and_theirs_are_left() -> None:
    with hostile(say(200, line_of(1, note(5)) + line_of(0, note(5)))) as (policy, _):
        assert ask(policy, 5) == (note(5) + line_of(0, note(5)), [])


def test_a_witness_that_drips_is_given_up_and_not_asked_again_meanwhile() -> None:
    release = threading.Event()

    def drip(handler: BaseHTTPRequestHandler, _: bytes) -> None:
        handler.send_response(200)
        handler.end_headers()
        while not release.wait(0.05):
            handler.wfile.write(b"x")

    with hostile(drip) as (policy, bodies):
        client = WitnessClient(policy, lambda: NOW, deadline_seconds=0.4)
        began = time.monotonic()
        first, second = ask_by(client, 5), ask_by(client, 5)
        assert time.monotonic() - began < 5
        assert "too slowly" in first[1][0].detail or "no answer within" in first[1][0].detail
        assert second[1][0].outcome is Outcome.NOT_CHECKED
        assert len(bodies) <= 2
        release.set()


def test_a_silent_witness_holds_up_no_other_one(served: Served) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        urls = (f"http://127.0.0.1:{silent.getsockname()[1]}", served.url)
        policy = WitnessPolicy(1, (WITNESSES[1], served.key), urls)
        client = WitnessClient(policy, lambda: NOW, deadline_seconds=0.5)
        cosigned, (finding,) = ask_by(client, 5)
        _, (still,) = ask_by(client, 6)
    assert check_policy(cosigned, policy, NOW).outcome is Outcome.PASSED
    assert "no answer within 0.5 seconds" in finding.detail
    assert "has not answered an earlier request yet" in still.detail


def test_what_is_sent_is_the_request_of_the_specification() -> None:
    def answer(handler: BaseHTTPRequestHandler, body: bytes) -> None:
        asked = parse_request(body)
        say(*((409, "3\n") if asked.old_size == 0 else (200, line_of(0, asked.note))))(handler, body)

    with hostile(answer) as (policy, bodies):
        assert ask(policy, 7)[1] == []
    assert [parse_request(body) for body in bodies] == [request(0, 7), request(3, 7)]


def test_a_clock_far_behind_the_witness_s_refuses_its_line(served: Served) -> None:
    client = WitnessClient(policy_of(served), lambda: NOW - timedelta(hours=1))
    assert ask_by(client, 5)[1][0].outcome is Outcome.FAILED


# Files of trusted witnesses


def test_the_files_of_a_trust_folder_make_a_policy(tmp_path: Path) -> None:
    (tmp_path / "a.witness").write_text(format_witness_vkey(WITNESSES[0]) + "\nhttps://witness.example.com/w1\n")
    (tmp_path / "b.witness").write_text(format_witness_vkey(WITNESSES[1]))
    policy = read_policy(tmp_path, 2)
    assert policy.urls == ("https://witness.example.com/w1", "")
    assert [witness.name for witness in policy.witnesses] == list(NAMES[:2])
    with pytest.raises(InputError, match="/witnesses_needed"):
        read_policy(tmp_path, 3)
    (tmp_path / "c.witness").write_text("nonsense")
    with pytest.raises(InputError, match=r"c\.witness"):
        read_policy(tmp_path, 1)


@pytest.mark.parametrize(
    "text", ["", "\n\n\n", "a\nb\nc\n", f"{ORIGIN}\n", format_witness_vkey(WITNESSES[0]) + "\nfile:///etc/passwd\n"]
)
def test_a_file_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        parse_witness_file(text)


@pytest.mark.parametrize("url", ["ftp://a", "a", "http://", "https://a/?b", "https://a/#b", "http://[", "http://a:b"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(InputError):
        check_url(url)

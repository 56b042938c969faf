"""Evidence of a split view: what proves that a log told two stories, and what proves nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ledger.errors import BadSignatureError, InputError, MalformedProofError, StoreError, VerificationError, problem
from ledger.log.checkpoint import Checkpoint, format_vkey, make_verifier_key, sign_checkpoint
from ledger.log.cosignature import add_signature_lines
from ledger.log.merkle import consistency_path, leaf_hash, root_hash
from ledger.log.split_view import (
    SplitView,
    check_split_view,
    compare_checkpoints,
    format_split_view,
    parse_split_view,
)
from ledger.log.tiles import Tile
from ledger.report import Outcome
from tests.log_samples import LOG_KEY, ORIGIN, OTHER_KEY
from tests.witness_samples import line_of

LEAVES = [leaf_hash(b"entry %d" % number) for number in range(12)]
FORKED = [*LEAVES[:3], leaf_hash(b"another history"), *LEAVES[4:]]
VKEY = make_verifier_key(ORIGIN, LOG_KEY.public_key())
OTHER_VKEY = make_verifier_key(ORIGIN, OTHER_KEY.public_key())


class Tiles:
    """The tiles of a tree of fewer than 256 leaves."""

    def __init__(self, leaves: list[bytes]) -> None:
        self.leaves = leaves

    def tile(self, tile: Tile, /) -> bytes:
        assert (tile.level, tile.index) == (0, 0)
        return b"".join(self.leaves[: tile.width])


def note(size: int, leaves: list[bytes] = LEAVES, key: object = LOG_KEY) -> str:
    assert key in (LOG_KEY, OTHER_KEY)
    return sign_checkpoint(
        Checkpoint(ORIGIN, size, root_hash(leaves[:size])), OTHER_KEY if key is OTHER_KEY else LOG_KEY
    )


SAME_SIZE = format_split_view(SplitView((VKEY,), note(7), note(7, FORKED)))


def split(small: int, large: int) -> SplitView:
    """The evidence that the forked log's checkpoint of `large` entries contradicts the other's of `small`."""
    return SplitView(
        (VKEY,),
        note(small),
        note(large, FORKED),
        root_hash(FORKED[:small]),
        tuple(consistency_path(FORKED, small, large)),
    )


def test_two_roots_for_one_size_prove_two_histories() -> None:
    check = check_split_view(SAME_SIZE, [VKEY])
    assert check.outcome is Outcome.PASSED
    assert root_hash(LEAVES[:7]).hex() in check.detail
    assert root_hash(FORKED[:7]).hex() in check.detail
    assert format_vkey(ORIGIN, LOG_KEY.public_key()) in check.detail  # the key is named, for the reader to compare


# The histories part at entry 3, so they agree up to size 3; 4, 8 are powers of two, whose root is not on the path.
@pytest.mark.parametrize(("small", "large"), [(4, 5), (4, 8), (5, 7), (7, 12), (8, 9), (11, 12)])
def test_different_sizes_prove_two_histories_by_the_path_to_the_other_prefix(small: int, large: int) -> None:
    assert check_split_view(format_split_view(split(small, large)), [VKEY]).outcome is Outcome.PASSED


def test_evidence_names_each_of_two_keys_where_the_log_changed_its_key() -> None:
    view = SplitView((VKEY, OTHER_VKEY), note(7), note(7, FORKED, OTHER_KEY))
    assert check_split_view(format_split_view(view), [VKEY, OTHER_VKEY]).outcome is Outcome.PASSED
    assert check_split_view(format_split_view(view), [VKEY]).outcome is Outcome.FAILED


def test_cosignatures_in_the_notes_do_not_hinder() -> None:
    cosigned = add_signature_lines(note(7), [line_of(0, note(7))])
    view = SplitView((VKEY,), cosigned, note(7, FORKED))
    assert check_split_view(format_split_view(view)).outcome is Outcome.PASSED


GOOD = split(5, 7)
PROVE_NOTHING = {
    "one history, one size": SplitView((VKEY,), note(7), note(7)),
    "one history, two sizes": SplitView(
        (VKEY,), note(5), note(7), root_hash(LEAVES[:5]), tuple(consistency_path(LEAVES, 5, 7))
    ),
    "a path that leads nowhere": replace(GOOD, path=(LEAVES[0], *GOOD.path[1:])),
    "a prefix that the path does not lead to": replace(GOOD, prefix=LEAVES[0]),
    "a prefix without its path": replace(GOOD, path=()),
    "a path too long": replace(GOOD, path=(*GOOD.path, LEAVES[0])),
    "two sizes without a prefix": replace(GOOD, prefix=None, path=()),
    "one size with a prefix": SplitView((VKEY,), note(7), note(7, FORKED), root_hash(FORKED[:7])),
    "the larger tree first": replace(GOOD, smaller=GOOD.larger, larger=GOOD.smaller),
    "one signed by another key": SplitView((VKEY,), note(7), note(7, FORKED, OTHER_KEY)),
    "a key that has not signed": SplitView((VKEY, OTHER_VKEY), note(7), note(7, FORKED)),
    "one key twice": SplitView((VKEY, VKEY), note(7), note(7, FORKED, OTHER_KEY)),
    "a changed root": replace(GOOD, larger=note(7, FORKED).replace("\n7\n", "\n8\n")),
}


@pytest.mark.parametrize("view", PROVE_NOTHING.values(), ids=PROVE_NOTHING.keys())
def test_what_an_honest_log_could_have_signed_proves_nothing(view: SplitView) -> None:
    assert check_split_view(format_split_view(GOOD)).outcome is Outcome.PASSED
    check = check_split_view(format_split_view(view))
    assert check.outcome is Outcome.FAILED
    assert "proves nothing" in check.detail


@pytest.mark.parametrize("text", [SAME_SIZE, format_split_view(GOOD)], ids=["same size", "two sizes"])
def test_evidence_that_is_read_is_written_back_the_same(text: str) -> None:
    assert format_split_view(parse_split_view(text)) == text


@pytest.mark.parametrize("text", [SAME_SIZE, format_split_view(GOOD)], ids=["same size", "two sizes"])
def test_no_single_character_of_evidence_can_be_dropped(text: str) -> None:
    for place in range(len(text)):
        assert check_split_view(text[:place] + text[place + 1 :], [VKEY]).outcome is Outcome.FAILED, place


@pytest.mark.parametrize(
    "text",
    [
        "",
        "split-view/v1",
        SAME_SIZE + "\n",
        "\n" + SAME_SIZE,
        SAME_SIZE.replace("split-view/v1", "split-view/v2"),
        SAME_SIZE.replace("\n", "\r\n"),
        "x" * 300_000,
        "prefix =\n\n\n\n\n",
        "split-view/v1\nprefix AAAA\n\n\n\n\n\n\n\n",
    ],
)
def test_what_is_no_evidence_is_refused_without_raising(text: str) -> None:
    assert check_split_view(text).outcome is Outcome.FAILED
    with pytest.raises(MalformedProofError):
        parse_split_view(text)


# Comparing


def test_two_checkpoints_of_one_history_are_consistent() -> None:
    for small, large in ((7, 7), (0, 7), (5, 7), (4, 12)):
        check, evidence = compare_checkpoints(note(large), note(small), [VKEY], Tiles(LEAVES))
        assert (check.outcome, evidence) == (Outcome.PASSED, None)


@pytest.mark.parametrize(("small", "large"), [(7, 7), (4, 5), (4, 8), (5, 12), (8, 9)])
def test_two_checkpoints_of_two_histories_give_evidence_that_convinces(small: int, large: int) -> None:
    for pair in ((note(small), note(large, FORKED)), (note(large, FORKED), note(small))):
        check, evidence = compare_checkpoints(*pair, [VKEY], Tiles(FORKED))
        assert check.outcome is Outcome.FAILED
        assert evidence is not None
        assert check_split_view(evidence, [VKEY]).outcome is Outcome.PASSED


def test_sizes_that_differ_are_not_compared_without_the_larger_tree_s_tiles() -> None:
    for tiles in (None, Tiles(LEAVES)):
        check, evidence = compare_checkpoints(note(5), note(7, FORKED), [VKEY], tiles)
        assert (check.outcome, evidence) == (Outcome.NOT_CHECKED, None)


def test_tiles_that_lie_or_are_missing_decide_nothing() -> None:
    class Short(Tiles):
        def tile(self, tile: Tile, /) -> bytes:
            raise StoreError(problem("", "no such tile", "a tile", "Ask another."))

    class Lying(Tiles):
        """Gives the larger tree its own hashes, and the smaller one those of the other story."""

        def tile(self, tile: Tile, /) -> bytes:
            return Tiles(LEAVES if tile.width < 7 else FORKED).tile(tile)

    for tiles in (Short(LEAVES), Lying(LEAVES)):
        check, evidence = compare_checkpoints(note(5), note(7, FORKED), [VKEY], tiles)
        assert (check.outcome, evidence) == (Outcome.NOT_CHECKED, None)


def test_checkpoints_that_the_log_has_not_signed_are_not_compared() -> None:
    with pytest.raises(BadSignatureError):
        compare_checkpoints(note(7), note(7, FORKED, OTHER_KEY), [VKEY])
    with pytest.raises(InputError):
        compare_checkpoints(note(7), note(7), [])


def test_checkpoints_of_two_logs_are_not_compared() -> None:
    other = make_verifier_key("example.com/other", LOG_KEY.public_key())
    theirs = sign_checkpoint(Checkpoint("example.com/other", 7, root_hash(FORKED[:7])), LOG_KEY)
    with pytest.raises(VerificationError, match=r"example\.com/other"):
        compare_checkpoints(note(7), theirs, [VKEY, other])

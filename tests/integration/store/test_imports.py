"""Importing signed statements: checked in this process or in others, the log is the same."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from ledger.errors import BadSignatureError, InputError
from ledger.log.signed import SignedStatement, make_signed
from ledger.log.statement import key_id
from ledger.service.context import Ledger
from ledger.service.imports import import_signed
from ledger.service.read import entry_bytes, head, private_values
from ledger.store.bulk import Imported
from tests.log_samples import ACTOR_KEY, OTHER_KEY, make_statement

KEYS = {key_id(key.public_key()): key.public_key().public_bytes_raw() for key in (ACTOR_KEY,)}


def statements(start: int, end: int) -> Iterator[SignedStatement]:
    for number in range(start, end):
        made = make_signed(make_statement(1000 + number), ACTOR_KEY)
        yield SignedStatement(made.statement_bytes, made.signature, client_id=f"offline-{number}")


@pytest.mark.parametrize("jobs", [1, 2])
def test_an_import_appends_all_in_order_and_started_again_nothing_twice(ledger: Ledger, jobs: int) -> None:
    seen: list[Imported] = []
    done = import_signed(
        ledger, statements(0, 70), keys=KEYS, tenant="plant-2", jobs=jobs, batch_entries=30, progress=seen.append
    )
    assert done == Imported(appended=70, repeated=0, said_before=0, tree_size=73)
    assert [one.appended for one in seen] == [30, 60, 70]
    for one, data in zip(statements(0, 70), entry_bytes(ledger, range(3, 73)), strict=True):
        assert one.statement_bytes in data
    again = import_signed(ledger, statements(50, 80), keys=None, tenant="plant-2", jobs=jobs)
    assert again == Imported(appended=10, repeated=20, said_before=0, tree_size=83)


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_bad_statement_is_named_by_its_number_and_what_was_committed_before_stays(ledger: Ledger, jobs: int) -> None:
    def with_bad(bad: SignedStatement) -> Iterator[SignedStatement]:
        yield from statements(0, 25)
        yield bad

    good = next(statements(99, 100))
    forged = replace(good, signature=bytes(64))
    with pytest.raises(BadSignatureError) as false:
        import_signed(ledger, with_bad(forged), keys=KEYS, jobs=jobs, batch_entries=10)
    assert [one.field for one in false.value.problems] == ["/25/sig"]
    assert head(ledger).tree_size == 23
    with pytest.raises(InputError) as bad:
        import_signed(ledger, with_bad(replace(good, client_id="")), keys=KEYS, jobs=jobs, batch_entries=10)
    assert [one.field for one in bad.value.problems] == ["/25/client_id"]


def test_a_statement_by_a_key_that_was_not_given_is_refused(ledger: Ledger) -> None:
    made = make_signed(make_statement(1000, OTHER_KEY), OTHER_KEY)
    one = SignedStatement(made.statement_bytes, made.signature)
    with pytest.raises(BadSignatureError, match="/0/kid"):
        import_signed(ledger, [one], keys=KEYS)
    assert head(ledger).tree_size == 3


def test_private_values_come_along(ledger: Ledger) -> None:
    from ledger.log.statement import commitment

    salt = bytes(range(32))
    made = make_signed(make_statement(1000, commit={"price": commitment(salt, "12.00")}), ACTOR_KEY)
    one = SignedStatement(made.statement_bytes, made.signature, {"price": (salt, "12.00")})
    import_signed(ledger, [one], keys=KEYS)
    assert private_values(ledger, 3) == {"price": '"12.00"'}

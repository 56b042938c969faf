"""Logging in and out, sessions, form tokens, API keys: what lets somebody in, and everything that must not."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from api.auth import own_path
from ledger.errors import DuplicateIdError, InputError, UnknownIdError
from ledger.service.accounts import (
    change_password,
    create_account,
    create_api_key,
    delete_api_key,
    holder_of_key,
    list_accounts,
    log_in,
    login_of,
    set_disabled,
)
from tests.web_plant import PASSWORD, RECEIPT, Plant, hidden, make_plant, new_id
from tests.web_plant import log_in as fill_in_login


def test_who_logs_in_with_the_right_password_sees_the_batches(any_plant: Plant) -> None:
    client = any_plant.client()
    answer = fill_in_login(client)
    assert (answer.status_code, answer.headers["location"]) == (303, "/batches")
    page = client.get("/batches")
    assert page.status_code == 200
    assert "operator" in page.text


@pytest.mark.parametrize(
    ("username", "password"),
    [("operator", "wrong"), ("nobody", PASSWORD), ("operator", ""), ("", ""), ("operator", PASSWORD + "x" * 300)],
)
def test_a_wrong_name_and_a_wrong_password_get_the_same_answer(plant: Plant, username: str, password: str) -> None:
    client = plant.client()
    answer = fill_in_login(client, username, password)
    assert answer.status_code == 401
    assert "User name and password do not match." in answer.text
    assert client.get("/batches").status_code == 303


@pytest.mark.parametrize("username", ["\0", "oper\0ator", "OPERATOR", "\U0001f600", "x" * 10_000])
def test_a_name_that_can_be_nobodys_is_refused_like_any_other(any_plant: Plant, username: str) -> None:
    assert fill_in_login(any_plant.client(), username).status_code == 401


def test_a_disabled_account_cannot_log_in_and_its_open_session_ends(plant: Plant) -> None:
    browser, program = plant.browser(), plant.program()
    with plant.ledger.engine.begin() as connection:
        connection.execute(text("UPDATE \"user\" SET disabled = 1 WHERE username = 'operator'"))
    assert browser.get("/batches").status_code == 303
    assert program.get("/api/v1/batches").status_code == 401
    assert fill_in_login(plant.client()).status_code == 401


def test_a_session_ends_after_its_hours_whatever_is_done_in_it(plant: Plant) -> None:
    browser = plant.browser()
    for _ in range(11):
        plant.clock.forward(hours=1)
        assert browser.get("/batches").status_code == 200
    plant.clock.forward(hours=1)  # 12 hours is the default of session_hours
    assert browser.get("/batches").status_code == 303


def test_logging_out_ends_the_session_on_the_server(plant: Plant) -> None:
    browser = plant.browser()
    token = browser.cookies["magnet_ledger_session"]
    csrf_token = hidden(browser.get("/batches").text, "csrf_token")
    assert browser.post("/logout", data={"csrf_token": csrf_token}).status_code == 303
    # Not only the cookie is gone: the token itself no longer opens anything.
    thief = plant.client(cookies={"magnet_ledger_session": token})
    assert thief.get("/batches").status_code == 303


def test_logging_in_again_ends_the_session_that_the_browser_had(plant: Plant) -> None:
    browser = plant.browser()
    before = browser.cookies["magnet_ledger_session"]
    # The form is not shown to who is logged in, but may still be open in another tab.
    fields = {"csrf_token": browser.cookies["magnet_ledger_form"], "username": "operator", "password": PASSWORD}
    assert browser.post("/login", data=fields).status_code == 303
    assert login_of(plant.ledger, before) is None


def test_the_session_cookie_is_out_of_reach_of_scripts_and_of_other_sites(plant: Plant) -> None:
    cookie = fill_in_login(plant.client()).headers["set-cookie"]
    assert cookie.startswith("magnet_ledger_session=")
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Path=/" in cookie
    assert "Secure" not in cookie  # plain http, on the machine itself


def test_over_https_the_cookie_is_secure_and_bound_to_this_host(plant: Plant) -> None:
    client = plant.client(base_url="https://testserver")
    cookie = fill_in_login(client).headers["set-cookie"]
    assert cookie.startswith("__Host-magnet_ledger_session=")
    assert "Secure" in cookie
    assert client.get("/batches").status_code == 200


def test_the_setting_makes_cookies_secure_behind_a_proxy_that_ends_https(database_url: str, tmp_path: Path) -> None:
    plant = make_plant(database_url, tmp_path, secure_cookies=True)
    answer = plant.client().get("/login")
    assert "Secure" in answer.headers["set-cookie"]
    plant.ledger.engine.dispose()


def test_neither_password_nor_token_nor_key_is_stored(plant: Plant) -> None:
    browser = plant.browser()
    token = browser.cookies["magnet_ledger_session"]
    key = create_api_key(plant.ledger, "operator", ["read"], timedelta(days=1))
    with plant.ledger.engine.connect() as connection:
        users = connection.execute(text('SELECT * FROM "user"')).all()
        sessions = connection.execute(text("SELECT * FROM session")).all()
        keys = connection.execute(text("SELECT * FROM api_key")).all()
    stored = repr((users, sessions, keys))
    for secret in (PASSWORD, token, key.text, key.text.rpartition("_")[2]):
        assert secret not in stored
    assert all("$argon2id$" in repr(user) for user in users)
    assert hashlib.sha256(token.encode()).hexdigest() in stored
    assert hashlib.sha256(key.text.encode()).hexdigest() in stored


def test_expired_sessions_are_deleted_at_the_next_login(plant: Plant) -> None:
    plant.browser()
    plant.clock.forward(hours=13)
    plant.browser()
    with plant.ledger.engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM session")).scalar_one() == 1


def test_after_five_failures_a_name_must_wait_and_then_may_go_on(plant: Plant) -> None:
    client = plant.client()
    for _ in range(5):
        assert fill_in_login(client, password="wrong").status_code == 401
    refused = fill_in_login(client)  # even with the right password
    assert refused.status_code == 429
    assert 0 < int(refused.headers["retry-after"]) <= 300
    assert "operator" in refused.text  # the form comes back with the name
    plant.clock.forward(minutes=5)
    assert fill_in_login(client).status_code == 303


def test_a_success_clears_the_count_of_failures(plant: Plant) -> None:
    for _ in range(3):
        for _ in range(4):
            assert fill_in_login(plant.client(), password="wrong").status_code == 401
        assert fill_in_login(plant.client()).status_code == 303
        plant.clock.forward(minutes=2)  # so that the address stays below its own limit


def test_one_address_that_tries_many_names_must_wait(plant: Plant) -> None:
    client = plant.client()
    answers = [fill_in_login(client, f"name-{i}", "wrong").status_code for i in range(31)]
    assert answers == [401] * 30 + [429]


def test_a_login_form_from_elsewhere_is_refused(plant: Plant) -> None:
    fields = {"csrf_token": "x" * 43, "username": "operator", "password": PASSWORD}
    without_cookie = plant.client().post("/login", data=fields)
    assert without_cookie.status_code == 403
    client = plant.client()
    client.get("/login")
    assert client.post("/login", data=fields).status_code == 403
    assert client.post("/login", data={k: v for k, v in fields.items() if k != "csrf_token"}).status_code == 403


@pytest.mark.parametrize("path", ["/receipts/new", "/steps/new", "/logout"])
@pytest.mark.parametrize("token", [None, "", "wrong", "ü"])
def test_a_form_without_the_sessions_token_is_refused_and_nothing_is_logged(
    plant: Plant, path: str, token: str | None
) -> None:
    browser = plant.browser()
    size = plant.tree_size
    fields = {**RECEIPT, "statement_id": new_id()} | ({} if token is None else {"csrf_token": token})
    answer = browser.post(path, data=fields)
    assert answer.status_code == 403
    assert browser.get("/batches").status_code == 200  # still logged in
    assert plant.tree_size == size


def test_the_token_of_another_session_does_not_do(plant: Plant) -> None:
    other = hidden(plant.browser().get("/batches").text, "csrf_token")
    answer = plant.browser().post("/receipts/new", data={**RECEIPT, "statement_id": new_id(), "csrf_token": other})
    assert answer.status_code == 403


@pytest.mark.parametrize("path", ["/batches", "/batches/IN-1", "/receipts/new", "/steps/new", "/entries/0"])
def test_a_private_page_leads_a_stranger_to_the_login_and_then_back(plant: Plant, path: str) -> None:
    client = plant.client()
    answer = client.get(path)
    assert answer.status_code == 303
    assert answer.headers["location"] == f"/login?next={path}"
    assert hidden(client.get(answer.headers["location"]).text, "next") == path


@pytest.mark.parametrize(
    "path", ["/api/v1/batches", "/api/v1/batches/IN-1", "/api/v1/batches/IN-1/trace", "/api/v1/batches/IN-1/footprint"]
)
def test_private_data_needs_an_account(plant: Plant, path: str) -> None:
    for headers in ({}, {"Authorization": "Bearer mlk_00000000_" + "A" * 43}, {"Authorization": "Basic b3A6cGFzcw=="}):
        answer = plant.client().get(path, headers=headers)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert answer.json()["type"] == "/problems#not-logged-in"
        assert "batch" not in answer.json()["detail"]


@pytest.mark.parametrize("path", ["/api/v1/receipts", "/api/v1/steps"])
def test_nothing_can_be_logged_without_an_account(plant: Plant, path: str) -> None:
    size = plant.tree_size
    answer = plant.client().post(path, json=RECEIPT, headers={"Idempotency-Key": new_id()})
    assert answer.status_code == 401
    assert plant.tree_size == size


def test_a_key_that_may_only_read_cannot_write(plant: Plant) -> None:
    program = plant.program("read")
    assert program.get("/api/v1/batches").status_code == 200
    answer = program.post("/api/v1/receipts", json=RECEIPT, headers={"Idempotency-Key": new_id()})
    assert (answer.status_code, answer.json()["type"]) == (403, "/problems#not-allowed")


def test_a_key_that_may_only_write_cannot_read(plant: Plant) -> None:
    program = plant.program("write")
    assert program.get("/api/v1/batches").status_code == 403
    answer = program.post("/api/v1/receipts", json=RECEIPT, headers={"Idempotency-Key": new_id()})
    assert answer.status_code == 201


def test_a_key_never_allows_more_than_its_account(plant: Plant) -> None:
    plant.make_auditor()
    program = plant.program("read write", "auditor")
    assert program.get("/api/v1/batches").status_code == 200
    answer = program.post("/api/v1/receipts", json=RECEIPT, headers={"Idempotency-Key": new_id()})
    assert answer.status_code == 403


def test_an_auditor_reads_pages_and_is_not_shown_the_forms(plant: Plant) -> None:
    plant.make_auditor()
    auditor = plant.browser("auditor")
    assert auditor.get("/batches").status_code == 200
    assert auditor.get("/receipts/new").status_code == 403
    token = hidden(auditor.get("/batches").text, "csrf_token")
    fields = {**RECEIPT, "statement_id": new_id(), "csrf_token": token}
    assert auditor.post("/receipts/new", data=fields).status_code == 403
    assert "IN-1" not in plant.ledger.state.plant.batches


def test_an_account_of_another_actor_cannot_log_with_this_servers_key(plant: Plant) -> None:
    create_account(plant.ledger, "visitor", PASSWORD, "operator", "another-plant")
    answer = plant.browser("visitor").get("/receipts/new")
    assert answer.status_code == 403
    assert "another-plant" in answer.text


def test_a_key_expires(plant: Plant) -> None:
    program = plant.program()
    plant.clock.forward(hours=23)
    assert program.get("/api/v1/batches").status_code == 200
    plant.clock.forward(hours=1)
    assert program.get("/api/v1/batches").status_code == 401


def test_the_sessions_cookie_writes_through_the_json_interface_only_with_its_token(plant: Plant) -> None:
    browser = plant.browser()
    headers = {"Idempotency-Key": new_id()}
    refused = browser.post("/api/v1/receipts", json=RECEIPT, headers=headers)
    assert (refused.status_code, refused.json()["errors"][0]["header"]) == (403, "X-CSRF-Token")
    token = hidden(browser.get("/batches").text, "csrf_token")
    assert browser.post("/api/v1/receipts", json=RECEIPT, headers=headers | {"X-CSRF-Token": token}).status_code == 201
    assert browser.get("/api/v1/batches").status_code == 200


def test_an_account_is_refused_with_every_reason_and_never_with_the_password(plant: Plant) -> None:
    with pytest.raises(InputError) as caught:
        create_account(plant.ledger, "Not A Name", "hunter2", "king", "plant-operator")  # type: ignore[arg-type]
    assert [problem.field for problem in caught.value.problems] == ["/username", "/password", "/role"]
    assert "hunter2" not in str(caught.value)


def test_a_name_is_given_once(any_plant: Plant) -> None:
    with pytest.raises(DuplicateIdError):
        create_account(any_plant.ledger, "operator", PASSWORD, "operator", "plant-operator")


def test_a_password_is_the_same_however_its_characters_were_typed(plant: Plant) -> None:
    # U+00E9 on one keyboard, e and U+0301 on another.
    create_account(plant.ledger, "andre", "caf\u00e9 caf\u00e9 caf\u00e9", "auditor", "plant-operator")
    assert log_in(plant.ledger, "andre", "cafe\u0301 cafe\u0301 cafe\u0301", timedelta(hours=1)) is not None


def test_a_key_needs_an_account_and_known_scopes(plant: Plant) -> None:
    with pytest.raises(UnknownIdError):
        create_api_key(plant.ledger, "nobody", ["read"], timedelta(days=1))
    for scopes in ([], ["admin"], ["read", "admin"]):
        with pytest.raises(InputError):
            create_api_key(plant.ledger, "operator", scopes, timedelta(days=1))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("asked", "given"),
    [
        ("/batches/IN-1?x=1", "/batches/IN-1?x=1"),
        ("https://evil.example/", "/batches"),
        ("//evil.example/", "/batches"),
        ("/\\evil.example/", "/batches"),
        ("javascript:alert(1)", "/batches"),
        ("/a\r\nSet-Cookie: x=1", "/batches"),
        ("http://[", "/batches"),
        ("", "/batches"),
    ],
)
def test_a_login_never_leads_off_the_site(asked: str, given: str) -> None:
    assert own_path(asked) == given


def test_another_password_lets_in_alone_and_ends_what_was_open_with_the_old_one(any_plant: Plant) -> None:
    browser, program = any_plant.browser(), any_plant.program()
    change_password(any_plant.ledger, "operator", "another good password")
    assert browser.get("/batches").status_code == 303
    assert fill_in_login(any_plant.client()).status_code == 401
    assert fill_in_login(any_plant.client(), "operator", "another good password").status_code == 303
    assert program.get("/api/v1/batches").status_code == 200, "a program's key is no password"
    with pytest.raises(InputError, match="characters"):
        change_password(any_plant.ledger, "operator", "short")
    for name in ("nobody", "\0"):
        with pytest.raises(UnknownIdError):
            change_password(any_plant.ledger, name, "another good password")


def test_a_disabled_account_is_shut_out_with_sessions_and_keys_until_it_is_enabled(any_plant: Plant) -> None:
    browser, program = any_plant.browser(), any_plant.program()
    set_disabled(any_plant.ledger, "operator", True)
    assert browser.get("/batches").status_code == 303
    assert program.get("/api/v1/batches").status_code == 401
    assert fill_in_login(any_plant.client()).status_code == 401
    assert [one.disabled for one in list_accounts(any_plant.ledger) if one.account.username == "operator"] == [True]
    set_disabled(any_plant.ledger, "operator", False)
    assert browser.get("/batches").status_code == 303, "the old session is gone for good"
    assert program.get("/api/v1/batches").status_code == 200
    assert fill_in_login(any_plant.client()).status_code == 303
    with pytest.raises(UnknownIdError):
        set_disabled(any_plant.ledger, "nobody", True)


def test_a_deleted_key_opens_nothing_and_the_others_still_do(any_plant: Plant) -> None:
    first = create_api_key(any_plant.ledger, "operator", {"read"}, timedelta(days=1))
    second = create_api_key(any_plant.ledger, "operator", {"read", "write"}, timedelta(days=1))
    listed = next(one for one in list_accounts(any_plant.ledger) if one.account.username == "operator")
    assert (first.text[:12], "read", first.expires) in listed.api_keys
    assert all(key not in (first.text, second.text) for key, _, _ in listed.api_keys), (
        "the keys themselves are not kept"
    )
    delete_api_key(any_plant.ledger, first.text[:12])
    assert holder_of_key(any_plant.ledger, first.text) is None
    assert holder_of_key(any_plant.ledger, second.text) is not None
    delete_api_key(any_plant.ledger, second.text)
    assert holder_of_key(any_plant.ledger, second.text) is None
    for gone in (first.text, "mlk_00000000", "mlk_", "", "%"):
        with pytest.raises(UnknownIdError) as caught:
            delete_api_key(any_plant.ledger, gone)
        assert first.text not in str(caught.value)

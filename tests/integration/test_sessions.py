"""Whose session a request was: told by the ledger, the log and the list of a session's requests."""

import httpx
import pytest

from tests.fixtures.gateway import Gateway
from tests.fixtures.waiting import eventually

NO_CACHE = {"cache-control": "no-store"}


def settled(gateway: Gateway, answer: httpx.Response) -> dict[str, object]:
    assert answer.status_code == 200, answer.text
    return gateway.ledger(answer.headers["x-weighbridge-request-id"])


@pytest.mark.parametrize(
    ("session", "headers", "fields"),
    [
        ("s-header", {"x-claude-code-session-id": "s-header"}, {}),
        ("s-key", {}, {"prompt_cache_key": "s-key"}),
        ("s-user", {}, {"metadata": {"user_id": "user_ab_account__session_s-user"}}),
    ],
)
def test_the_ledger_and_the_log_name_it(
    gateway: Gateway, session: str, headers: dict[str, str], fields: dict[str, object]
) -> None:
    answer = gateway.chat("hi", headers=headers, **fields)
    assert settled(gateway, answer)["session"] == session
    request_id = answer.headers["x-weighbridge-request-id"]
    eventually(lambda: any(line.get("request_id") == request_id for line in gateway.logged("request")))
    (line,) = (line for line in gateway.logged("request") if line.get("request_id") == request_id)
    assert line["session"] == session


def test_a_request_without_a_session_has_none(gateway: Gateway) -> None:
    assert settled(gateway, gateway.chat("hi"))["session"] is None


def test_a_sessions_requests_are_listed_the_newest_first(gateway: Gateway) -> None:
    named = {**NO_CACHE, "session-id": f"{gateway.topic} with blanks"}
    answers = [gateway.chat(f"{number}", headers=named) for number in range(3)]
    ids = [settled(gateway, answer)["id"] for answer in answers]

    def listed(limit: int = 100) -> list[str]:
        answer = gateway.http.get("/v1/requests", params={"session": named["session-id"], "limit": str(limit)})
        assert answer.status_code == 200, answer.text
        return [row["id"] for row in answer.json()["requests"]]

    assert listed() == ids[::-1]
    assert listed(2) == ids[:0:-1]
    assert gateway.http.get("/v1/requests", params={"session": "nobody's"}).json() == {"requests": []}


@pytest.mark.parametrize("params", [{}, {"session": ""}, {"session": "s", "limit": 0}])
def test_what_is_asked_of_the_list_is_checked(gateway: Gateway, params: dict[str, str]) -> None:
    answer = gateway.http.get("/v1/requests", params=params)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_parameter")


def test_the_language_is_kept_where_it_is_one(gateway: Gateway) -> None:
    for said, kept in (("Py", "python"), ("klingon, please", None)):
        answer = gateway.chat("hi", headers={**NO_CACHE, "x-weighbridge-language": said})
        assert settled(gateway, answer)["language"] == kept

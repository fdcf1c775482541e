import socket
from collections.abc import Mapping

from evaluator.watching.webhook import tell
from policies.admission import Admission
from tests.fixtures.json_server import json_server
from tests.fixtures.upstream import Upstream, answers_json

ROW = Admission(
    route="small",
    revision="r1",
    suite="builtin",
    language=None,
    at_least=0.8,
    confidence=0.95,
    before="admitted",
    state="demoted",
    at="2026-11-23T10:00:00.000+00:00",
    reason="because",
    run_id="watch-1",
    low=0.5,
    high=0.7,
    tasks=43,
)


async def test_it_is_told_again_until_somebody_takes_it() -> None:
    asked: list[str] = []

    def answer(path: str, headers: Mapping[str, str]) -> tuple[int, object]:
        asked.append(path)
        return (200 if len(asked) == 3 else 503), {}

    with json_server(answer) as url:
        assert await tell(f"{url}/hook?key=1", ROW, wait_s=0.001)
    assert asked == ["/hook?key=1"] * 3


async def test_whoever_answers_with_another_address_is_not_followed(upstream: Upstream) -> None:
    upstream.behaviour = answers_json({}, 307, f"location: {upstream.url}/elsewhere\r\n")
    assert not await tell(f"{upstream.url}/hook", ROW, wait_s=0.001)
    assert [(received.path, received.json["admission"]["state"]) for received in upstream.received] == [
        ("/hook", "demoted")
    ] * 3


async def test_nobody_there_is_no_reason_to_stop() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert not await tell(f"http://127.0.0.1:{port}/hook", ROW, wait_s=0.001)

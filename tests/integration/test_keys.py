"""Virtual keys on a running gateway, and on two that share a Valkey."""

import csv
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.fixtures.canary import PROMPT
from tests.fixtures.gateway import WEIGHBRIDGE, Gateway, start_gateway
from tests.fixtures.keys import ADMIN_KEY, KEYS, OWN_KEY, Admin, Ask, asking, shared_valkey, with_keys
from tests.fixtures.upstream import Upstream
from tests.fixtures.waiting import eventually


@pytest.fixture(scope="module")
def keyed_gateway(upstream_server: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    gateway = start_gateway(tmp_path_factory.mktemp("keyed"), with_keys(upstream_server.url), api_key=OWN_KEY)
    yield gateway
    assert gateway.stop() == 0


@pytest.fixture
def keyed(keyed_gateway: Gateway, upstream: Upstream, request: pytest.FixtureRequest) -> Gateway:
    keyed_gateway.topic = f"{request.node.name} {PROMPT}: "
    return keyed_gateway


def get(gateway: Gateway, key: str, path: str, **headers: str) -> httpx.Response:
    headers = {"authorization": f"Bearer {key}", **headers}
    return httpx.get(gateway.url + path, headers=headers, timeout=60, trust_env=False)


def error(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def test_a_key_works_at_once_and_its_requests_are_booked_on_it(keyed: Gateway) -> None:
    made = Admin(keyed).create("alice", team="red", customer="acme")
    answer = asking(keyed, made["key"])()
    assert answer.status_code == 200, answer.text
    row = keyed.ledger(answer.headers["x-weighbridge-request-id"])
    assert (row["key_id"], row["team"], row["customer"]) == (made["id"], "red", "acme")
    own = keyed.ledger(keyed.chat("by the gateway's own key").headers["x-weighbridge-request-id"])
    assert (own["key_id"], own["team"], own["customer"]) == (None, None, None)


def test_the_key_is_shown_once_and_kept_nowhere(keyed: Gateway) -> None:
    made = Admin(keyed).create("bob")
    asking(keyed, made["key"])()
    listed = Admin(keyed).ask("GET", "keys")
    assert made["id"] in listed.text
    assert made["key"] not in listed.text
    assert "hash" not in listed.text
    for secret in (made["key"], KEYS["secret"], ADMIN_KEY):
        for path in [keyed.log, *keyed.state_dir.rglob("*")]:
            assert not path.is_file() or secret.encode() not in path.read_bytes(), path


def test_a_revoked_key_is_refused_in_the_wires_own_shape(keyed: Gateway) -> None:
    made = Admin(keyed).create()
    ask = asking(keyed, made["key"])
    assert ask().status_code == 200
    Admin(keyed).revoke(made["id"])
    eventually(lambda: ask().status_code == 401)
    assert error(ask()) == (401, "key_revoked")
    assert error(ask(path="/v1/responses")) == (401, "key_revoked")
    said = ask(path="/v1/messages", max_tokens=5).json()
    assert (said["type"], said["error"]["type"]) == ("error", "authentication_error")
    assert Admin(keyed).ask("POST", f"keys/{made['id']}/rotate").status_code == 404


def test_a_rotated_key_is_good_for_its_grace_only(keyed: Gateway) -> None:
    made = Admin(keyed).create(rpm=100)
    turned = Admin(keyed).ask("POST", f"keys/{made['id']}/rotate", params={"grace_s": 600}).json()
    assert (turned["id"], turned["allowance"]) == (made["id"], made["allowance"])
    assert asking(keyed, turned["key"])().status_code == 200
    assert asking(keyed, made["key"])().status_code == 200
    again = Admin(keyed).ask("POST", f"keys/{made['id']}/rotate").json()
    eventually(lambda: asking(keyed, turned["key"])().status_code == 401)
    assert asking(keyed, made["key"])().status_code == 401
    assert asking(keyed, again["key"])().status_code == 200


def test_an_expired_key_is_refused(keyed: Gateway) -> None:
    made = Admin(keyed).create(expires_at=time.time() - 1)
    assert error(asking(keyed, made["key"])()) == (401, "key_expired")


def test_rights(keyed: Gateway) -> None:
    made = Admin(keyed).create(policies=["auto"], residency="self_hosted")
    ask = asking(keyed, made["key"])
    for model in ("auto", "gpt-4o"):
        assert ask(model=model).headers["x-weighbridge-route"] == "small"
    for model in ("other", "small", "away", "nothing"):
        refused = ask(model=model)
        assert error(refused) == (404, "model_not_found")
        assert "away" not in refused.json()["error"]["message"].replace(f"{model!r}", "")
    assert [model["id"] for model in get(keyed, made["key"], "/v1/models").json()["data"]] == ["auto", "gpt-4o"]
    assert get(keyed, made["key"], "/v1/models/away").status_code == 404
    assert get(keyed, made["key"], "/v1/models/auto").status_code == 200


def test_a_policy_without_a_route_for_the_key_says_so(keyed: Gateway) -> None:
    made = Admin(keyed).create(routes=["away"], residency="self_hosted")
    assert error(asking(keyed, made["key"])(model="auto")) == (403, "no_route_for_key")
    assert error(asking(keyed, made["key"])(model="away")) == (404, "model_not_found")


def test_a_virtual_key_is_for_models_and_its_own_requests(keyed: Gateway) -> None:
    alice, bob = (Admin(keyed).create(owner)["key"] for owner in ("alice", "bob"))
    answer = asking(keyed, alice)()
    row = f"/v1/requests/{answer.headers['x-weighbridge-request-id']}"
    eventually(lambda: get(keyed, alice, row).status_code == 200)
    assert get(keyed, bob, row).status_code == 404
    for path in ("/metrics", "/v1/scorecards", "/v1/policies/auto/explain", "/", "/nothing"):
        assert error(get(keyed, alice, path)) == (403, "operator_only"), path
    for path in ("/admin/keys", "/admin/nothing"):
        for key in (alice, OWN_KEY, "wrong"):
            assert error(get(keyed, key, path)) == (401, "invalid_admin_key"), path
    for path in ("//admin/keys", "/x/../admin/keys", "/%61dmin/keys", "/Admin/keys", "/v1/models/../../admin/keys"):
        assert get(keyed, alice, path).status_code in (401, 403, 404), path
    assert error(get(keyed, ADMIN_KEY, "/v1/models")) == (401, "invalid_api_key")


def test_tenants_do_not_share_answers_and_colleagues_do(keyed: Gateway, upstream: Upstream) -> None:
    def key(**order: str) -> Ask:
        return asking(keyed, Admin(keyed).create("x", **order)["key"])

    cache = [
        ask("the same question").headers["x-weighbridge-cache"]
        for ask in (key(), key(), key(team="blue"), key(team="blue"), key(customer="blue"), key(customer="blue"))
    ]
    assert cache == ["miss", "miss", "miss", "hit", "miss", "hit"]


@pytest.mark.parametrize("key", ["' OR 1=1 --", "sk-" + "x" * 10_000, "wb-é", "Bearer", "*", "\\u0000"])
def test_odd_keys_are_refused(keyed: Gateway, key: str) -> None:
    headers = {"authorization": f"Bearer {key}".encode()}
    refused = httpx.get(keyed.url + "/v1/models", headers=headers, timeout=60, trust_env=False)
    assert error(refused) == (401, "invalid_api_key")


def test_unknown_names_and_ids_are_told(keyed: Gateway) -> None:
    refused = Admin(keyed).ask("POST", "keys", json={"owner": "a", "policies": ["aut"]})
    assert error(refused) == (400, "invalid_key")
    assert "did you mean 'auto'" in refused.text
    for action in ("rotate", "revoke"):
        assert error(Admin(keyed).ask("POST", f"keys/key_0/{action}")) == (404, "unknown_key")
        assert Admin(keyed).ask("POST", f"keys/key%2f..%2f0/{action}").status_code == 404


def keys_command(gateway: Gateway, *words: str) -> "subprocess.CompletedProcess[str]":
    env = {"WEIGHBRIDGE_ADMIN_KEY": ADMIN_KEY, "PATH": "/usr/bin:/bin", "NO_PROXY": "*"}
    command = [str(WEIGHBRIDGE), "keys", *words, "--base-url", gateway.url + "/v1"]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=env)


def test_a_key_for_each_of_many_customers_in_one_call(keyed: Gateway, tmp_path: Path) -> None:
    """As somebody has ten thousand of them."""
    table = tmp_path / "customers.csv"
    lines = ["owner,customer,rpm,policies,month", "first,customer-0,7,auto other,5:soft"]
    table.write_text("\n".join(lines + [f"owner {n},customer-{n},,," for n in range(1, 2000)]) + "\n")
    said = keys_command(keyed, "create", "--from", str(table), "--month", "0.10", "--policy", "auto")
    assert said.returncode == 0, said.stderr
    made = list(csv.DictReader(said.stdout.splitlines()))
    assert len({row["key"] for row in made}) == len({row["id"] for row in made}) == 2000
    assert [(row["owner"], row["customer"]) for row in made[:2]] == [("first", "customer-0"), ("owner 1", "customer-1")]
    listed = {key["id"]: key for key in Admin(keyed).ask("GET", "keys").json()["keys"]}
    first, last = listed[made[0]["id"]], listed[made[-1]["id"]]
    assert (first["allowance"]["rpm"], sorted(first["policies"])) == (7, ["auto", "other"])
    assert first["allowance"]["month"] == {"nanousd": 5_000_000_000, "hard": False}
    assert (last["allowance"]["rpm"], last["policies"]) == (None, ["auto"])
    assert last["allowance"]["month"] == {"nanousd": 100_000_000, "hard": True}
    for row in (made[0], made[-1]):
        eventually(lambda key=row["key"]: asking(keyed, key)(model="auto").status_code == 200)
    assert asking(keyed, made[-1]["key"])(model="other").status_code == 404


def test_of_many_keys_all_are_made_or_none(keyed: Gateway, tmp_path: Path) -> None:
    before = len(Admin(keyed).ask("GET", "keys").json()["keys"])
    wrong = {
        "owner,customer\na,b\nc,$": "key 2: customer: use at most 48",
        "owner,policies\na,aut": "key 1: policies: there is no 'aut'; did you mean 'auto'?",
        "owner,month\na,much": "line 2, month: 'much' is no budget",
        "owner,rpm\na,0": "line 2, rpm: 0 is not in the range",
        "owner,mouth\na,1": "there is no column 'mouth'",
        "owner\na,b": "line 2: it has more fields",
        "owner\n": "no line below its head",
        "customer\na": "no key was made: Object missing required field `owner`",
    }
    for text, message in wrong.items():
        table = tmp_path / "wrong.csv"
        table.write_text(text)
        said = keys_command(keyed, "create", "--from", str(table))
        assert (said.returncode, message in said.stderr) == (2, True), said.stderr
    assert keys_command(keyed, "create").returncode == 2
    assert error(Admin(keyed).ask("POST", "keys/batch", json={"keys": []})) == (400, "invalid_key")
    assert len(Admin(keyed).ask("GET", "keys").json()["keys"]) == before


def uncached(gateway: Gateway, key: str) -> httpx.Response:
    headers = {"authorization": f"Bearer {key}", "cache-control": "no-cache, no-store"}
    body = {"model": "small", "messages": gateway.messages("hi")}
    return httpx.post(gateway.url + "/v1/chat/completions", json=body, headers=headers, timeout=60, trust_env=False)


def test_replicas_tell_each_other_and_serve_without_valkey(upstream: Upstream, tmp_path: Path) -> None:
    gateways: list[Gateway] = []
    try:
        with shared_valkey(tmp_path) as url:
            for rule in ("deny", "allow"):
                (tmp_path / rule).mkdir()
                config = with_keys(upstream.url, cache={"url": url}, limits={"when_unavailable": rule})
                gateways.append(start_gateway(tmp_path / rule, config, api_key=OWN_KEY))
            one, two = gateways
            made, gone, limited = Admin(one).create(), Admin(one).create(), Admin(one).create(rpm=1000)
            for key in (made, gone, limited):
                eventually(lambda key=key["key"]: asking(two, key)().status_code == 200)
            Admin(two).revoke(gone["id"])
            eventually(lambda: asking(one, gone["key"])().status_code == 401)
        for gateway, status in ((one, 503), (two, 200)):
            assert uncached(gateway, made["key"]).status_code == 200
            assert asking(gateway, gone["key"])().status_code == 401
            assert {uncached(gateway, limited["key"]).status_code for _ in range(3)} == {status}
        denied = uncached(one, limited["key"])
        assert (error(denied), denied.headers["retry-after"]) == ((503, "limits_unavailable"), "1")
        late = Admin(one).create()
        assert asking(one, late["key"])("late").status_code == 200
        with shared_valkey(tmp_path):  # another one, that knows nothing
            eventually(lambda: asking(two, late["key"])("late").status_code == 200)
            eventually(lambda: uncached(one, limited["key"]).status_code == 200)
    finally:
        for gateway in gateways:
            gateway.stop()

from pathlib import Path

import pytest

from gateway.config import parse_config
from gateway.processes.reload import needs_restart

ROUTES = "routes: {small: {backend: vllm, model: m, replicas: [http://127.0.0.1:8000]}}\n"


@pytest.mark.parametrize(
    ("more", "keys"),
    [
        ("", []),
        ("aliases: {gpt-4o: small}\nlimits: {gap_s: 1}\ncache: {enabled: false}\napi_key: x\n", []),
        ("server: {port: 8080}\n", []),
        ("server: {port: 8081}\n", ["server.port"]),
        ("server: {host: localhost, workers: 2}\nstate_dir: other\n", ["server.host", "server.workers", "state_dir"]),
        ("cache: {url: 'redis://127.0.0.1:1'}\n", []),
        ("cache: {url: 'redis://127.0.0.1:1'}\nkeys: {admin_key: a, secret: s}\n", ["cache.url"]),
    ],
)
def test_only_what_a_running_gateway_cannot_take_up_is_named(tmp_path: Path, more: str, keys: list[str]) -> None:
    file = tmp_path / "weighbridge.yaml"
    assert needs_restart(parse_config(ROUTES, file, {}), parse_config(ROUTES + more, file, {})) == keys

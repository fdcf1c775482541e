"""The shipped published figures, posted to a running gateway, move only the policy that goes by them."""

from pathlib import Path
from typing import Any

from tests.fixtures.gateway import Serve, vllm_route
from tests.fixtures.upstream import Upstream
from tests.fixtures.waiting import eventually

FIGURES = Path(__file__).parents[2] / "deploy/published/johal-2026.json"


def test_published_figures_order_only_the_policies_that_go_by_them(serve: Serve, upstream: Upstream) -> None:
    names = ("claude-3.5-sonnet", "llama-3.1-70b", "mixtral-8x22b")
    policies = {
        "by-measured": {"objective": "most_accurate"},
        "by-published": {"objective": "most_accurate", "evidence": "published"},
    }
    gateway = serve({"routes": {name: vllm_route(upstream.url) for name in names}, "policies": policies})
    posted = gateway.http.post("/v1/scorecards", content=FIGURES.read_bytes())
    assert (posted.status_code, posted.json()["accepted"]) == (201, 9)

    def explain(policy: str) -> list[dict[str, Any]]:
        return list(gateway.http.get(f"/v1/policies/{policy}/explain").json()["routes"])

    eventually(lambda: explain("by-published")[0]["objective"]["origin"] == "published")
    by_published = [row["route"] for row in explain("by-published")]
    assert by_published == ["claude-3.5-sonnet", "mixtral-8x22b", "llama-3.1-70b"]
    assert [row["objective"]["value"] for row in explain("by-measured")] == [None, None, None]

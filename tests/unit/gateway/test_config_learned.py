"""`learned:` in the file: where it belongs, how its model is found, and which models are refused."""

from pathlib import Path

import pytest

from gateway.config import Config, ConfigError, parse_config
from policies.learned import LearnedModel
from policies.learned_model import encode
from tests.fixtures.learned_file import WORTH, model_file

ROUTES = """routes:
  small: {backend: vllm, model: m, replicas: [http://a], price: {input: 1, output: 1}}
  large: {backend: vllm, model: m, replicas: [http://b], price: {input: 5, output: 5}}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "good.json").write_bytes(encode(model_file()))
    (tmp_path / "no-better.json").write_bytes(encode(model_file(knows=False)))
    (tmp_path / "text.json").write_text("hello")
    return tmp_path


def parsed(folder: Path, settings: str) -> Config:
    return parse_config(f"{ROUTES}policies:\n  p: {settings}\n", folder / "c.yaml", {})


def learned(folder: Path, settings: str) -> LearnedModel:
    found = parsed(folder, settings).policies["p"].learned
    assert found is not None
    return found


def test_a_model_is_read_from_beside_the_file_or_from_anywhere(folder: Path) -> None:
    for path in ("good.json", folder / "good.json"):
        for settings in (f"{{learned: {path}}}", f"{{objective: most_accurate, learned: {{model: {path}}}}}"):
            found = learned(folder, settings)
            assert [route.route for route in found.routes] == ["small", "large"]
            assert (found.worth_nanousd, found.source) == (WORTH, str(path))


def test_another_worth_is_taken_where_the_model_is_still_proven_better(folder: Path) -> None:
    assert learned(folder, "{learned: {model: good.json, solved_usd: 0.003}}").worth_nanousd == 3_000_000
    with pytest.raises(ConfigError, match=r"learned.model: it does not beat the static policy: on 200 unseen tasks"):
        parsed(folder, "{learned: {model: good.json, solved_usd: 100}}")


def test_policies_without_it_have_none(folder: Path) -> None:
    assert parsed(folder, "{objective: cheapest}").policies["p"].learned is None


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        (
            "{learned: no-better.json}",
            "learned.model: it does not beat the static policy: on 200 unseen tasks its gain",
        ),
        ("{learned: nowhere.json}", "nowhere.json: No such file or directory; `weighbridge policy train` makes one"),
        ("{learned: .}", "Is a directory"),
        ("{learned: text.json}", "learned.model: not a model that `weighbridge policy train` wrote"),
        ("{learned: {model: good.json, solved_usd: 0}}", "learned.solved_usd: '0' is not above 0"),
        ("{learned: {solved_usd: 1}}", "learned.model: missing"),
        ("{learned: {modle: good.json}}", "learned.modle: unknown key; did you mean 'model'?"),
        (
            "{fallback: [small], learned: good.json}",
            "learned: belongs to a policy with an objective, not to 'fallback'",
        ),
        ("{stick: {margin: 0.05}, learned: good.json}", "stick: has nothing to hold"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(folder: Path, settings: str, problem: str) -> None:
    with pytest.raises(ConfigError) as error:
        parsed(folder, settings)
    assert problem in str(error.value)
    assert f"{folder / 'c.yaml'}:5: policies.p." in str(error.value)


def test_a_model_of_16_mib_is_not_read_to_its_end(folder: Path) -> None:
    with (folder / "huge.json").open("wb") as file:
        file.truncate(10**12)  # sparse: whoever reads it whole runs out of memory
    with pytest.raises(ConfigError, match="larger than 16 MiB"):
        parsed(folder, "{learned: huge.json}")

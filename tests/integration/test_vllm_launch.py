"""`weighbridge vllm launch` before machines that are not there: a torch of ours in vLLM's interpreter shows them."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway.cli.vllm_preset import load_preset, preset_names
from gateway.config import load_config
from tests.fixtures.gateway import WEIGHBRIDGE

GIB = 2**30
TORCH = """
import json, os
from types import SimpleNamespace

_GPUS = json.loads(os.environ["FAKE_GPUS"])

def _properties(index):
    name, memory, free, (major, minor) = _GPUS[index]
    return SimpleNamespace(name=name, total_memory=memory, major=major, minor=minor)

cuda = SimpleNamespace(
    is_available=lambda: bool(_GPUS),
    device_count=lambda: len(_GPUS),
    get_device_properties=_properties,
    mem_get_info=lambda index: (_GPUS[index][2], _GPUS[index][1]),
)
print("a torch that talks while it is imported")
"""
SERVE = "import json, os, sys; print(json.dumps([sys.argv[1:], os.getpid(), os.environ['HF_HUB_OFFLINE']]))"


def gpus(count: int, memory_gib: float = 79.15, capability: tuple[int, int] = (8, 0), name: str = "A100") -> list[Any]:
    return [[name, int(memory_gib * GIB), int((memory_gib - 0.5) * GIB), capability]] * count


def weighbridge(*words: str, **env: str) -> "subprocess.CompletedProcess[str]":
    own = {name: value for name, value in os.environ.items() if not name.startswith(("VLLM_", "WEIGHBRIDGE_", "HF_"))}
    return subprocess.run(
        [WEIGHBRIDGE, "vllm", *words], capture_output=True, text=True, env=own | env, timeout=100, check=False
    )


@pytest.fixture
def node(tmp_path: Path) -> dict[str, str]:
    """The environment of an interpreter that finds a torch with FAKE_GPUS, and a vLLM that says how it was started."""
    (tmp_path / "torch.py").write_text(TORCH)
    (tmp_path / "vllm-0.32.0.dist-info").mkdir()
    (tmp_path / "vllm-0.32.0.dist-info/METADATA").write_text("Metadata-Version: 2.1\nName: vllm\nVersion: 0.32.0\n")
    main = tmp_path / "vllm/entrypoints/cli/main.py"
    main.parent.mkdir(parents=True)
    main.write_text(SERVE)
    return {"PYTHONPATH": str(tmp_path), "WEIGHBRIDGE_VLLM_PYTHON": sys.executable}


def launch(node: dict[str, str], name: str, found: list[Any], *words: str) -> "subprocess.CompletedProcess[str]":
    return weighbridge("launch", name, *words, **node, FAKE_GPUS=json.dumps(found))


@pytest.mark.parametrize(
    ("name", "model", "length", "weights"),
    [
        ("llama-3.1-70b", "meta-llama/Llama-3.1-70B-Instruct", "128000", "141.1 GB"),
        ("mixtral-8x22b", "mistralai/Mixtral-8x22B-Instruct-v0.1", "64000", "281.3 GB"),
    ],
)
def test_a_dry_run_prints_flags_arithmetic_and_route_without_looking_at_anything(
    name: str, model: str, length: str, weights: str
) -> None:
    done = weighbridge("launch", name, "--dry-run", PATH="/nonexistent")
    assert done.returncode == 0, done.stderr
    said = " ".join(done.stdout.replace("\\\n", " ").split())
    assert f"vllm serve {model} --served-model-name {model}" in said
    assert f"--tensor-parallel-size 4 --max-model-len {length} --gpu-memory-utilization" in said
    assert weights in said
    assert f"context_window: {length}" in said


def test_mixtrals_preset_raises_the_utilisation_and_says_why() -> None:
    said = " ".join(weighbridge("launch", "mixtral-8x22b", "--dry-run").stdout.replace("\\\n", " ").split())
    assert "--gpu-memory-utilization 0.95" in said
    assert "raises the utilisation to 0.95" in said


@pytest.mark.parametrize(
    ("found", "reasons"),
    [
        (gpus(4, 39.39), ["weights 32.85 GiB + KV cache 9.77 GiB", "39.39 GiB x 0.90 = 35.45 GiB: 12.17 GiB short"]),
        (gpus(2), ["needs 4 GPUs, and there are 2", "with tensor parallel 2"]),
        (gpus(4, 31.74, (7, 0), "V100"), ["bfloat16 needs compute capability 8.0, and it has 7.0", "2 x 80 layers"]),
        (
            [*gpus(3), ["A100", int(79.15 * GIB), 10 * GIB, (8, 0)]],
            ["GPU 3 (A100): only 10.00 GiB of 79.15 GiB are free"],
        ),
        ([], ["this machine: no GPU", "70,553,706,496 parameters"]),
    ],
)
def test_a_machine_that_cannot_is_refused_with_the_arithmetic(
    node: dict[str, str], found: list[Any], reasons: list[str]
) -> None:
    done = launch(node, "llama-3.1-70b", found)
    assert done.returncode == 1
    assert "llama-3.1-70b cannot be served here" in done.stderr
    for reason in reasons:
        assert reason in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("name", ["llama-3.1-70b", "mixtral-8x22b"])
def test_on_four_a100_80gb_it_becomes_vllm_serve(node: dict[str, str], name: str) -> None:
    own = {key: value for key, value in os.environ.items() if not key.startswith(("VLLM_", "WEIGHBRIDGE_", "HF_"))}
    env = own | node | {"FAKE_GPUS": json.dumps(gpus(4))}
    process = subprocess.Popen([WEIGHBRIDGE, "vllm", "launch", name], stdout=subprocess.PIPE, text=True, env=env)
    said, _ = process.communicate(timeout=100)
    assert process.returncode == 0
    argv, pid, offline = json.loads(said.splitlines()[-1])
    assert pid == process.pid  # not a child: signals and the exit status are vLLM's own
    assert argv[:2] == ["serve", load_preset(name).model]
    assert argv[argv.index("--tensor-parallel-size") + 1] == "4"
    assert offline == "0"
    assert "4 x A100 (79.15 GiB, compute capability 8.0)" in said


def test_a_refusal_as_json(node: dict[str, str]) -> None:
    done = launch(node, "llama-3.1-70b", gpus(1, 39.39), "--json")
    assert done.returncode == 1
    answer = json.loads(done.stdout)
    assert answer["ok"] is False
    assert answer["refused"][0] == "tensor parallel 4 needs 4 GPUs, and there is 1"
    assert answer["need_bytes"]["weights"] == 141_107_412_992 // 4
    assert answer["node"]["gpus"][0]["memory"] == int(39.39 * GIB)


def test_adapters_are_flags_and_routes_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text('{"r": 24}')
    words = ("launch", "llama-3.1-70b", "--lora", f"legacy-cobol={tmp_path}", "--lora", "payments=/adapters/payments")
    answer = json.loads(weighbridge(*words, "--dry-run", "--json").stdout)
    flags = answer["command"]
    at = flags.index("--enable-lora")
    lora = ["--max-loras", "2", "--max-lora-rank", "32", "--lora-modules"]
    assert flags[at + 1 : at + 8] == [*lora, f"legacy-cobol={tmp_path}", "payments=/adapters/payments"]
    assert list(answer["routes"]) == ["llama-3.1-70b", "legacy-cobol", "payments"]
    assert answer["routes"]["payments"]["model"] == "payments"
    assert answer["routes"]["payments"]["revision"] == "bf16+payments"
    assert answer["need_bytes"]["lora"] > 0


@pytest.mark.parametrize("name", preset_names())
def test_the_routes_it_prints_are_a_configuration(name: str, tmp_path: Path) -> None:
    done = weighbridge("launch", name, "--route-yaml", "--lora", "one=/a", VLLM_API_KEY="k")
    path = tmp_path / "weighbridge.yaml"
    path.write_text(done.stdout)
    assert "&id" not in done.stdout, "each route is written out"
    config = load_config(path, {"VLLM_API_KEY": "k"})
    assert set(config.routes) == {name, "one"}
    assert config.routes[name].context_window == load_preset(name).serve.max_model_len


def test_the_small_models_preset_is_the_route_of_make_run() -> None:
    demo = yaml.safe_load((Path(__file__).parents[2] / "deploy/demo.yaml").read_text())["routes"]["smollm2-135m"]
    preset = load_preset("smollm2-135m").routes("smollm2-135m", demo["replicas"][0], with_key=False)
    assert preset == {"smollm2-135m": demo}


def test_a_file_of_ones_own_is_a_preset(tmp_path: Path) -> None:
    path = tmp_path / "mixtral-fp8.yaml"
    source = Path(__file__).parents[2] / "deploy/presets/mixtral-8x22b.yaml"
    path.write_text(
        re.sub(r"gpu_memory_utilization: .*", "gpu_memory_utilization: 0.9\n  quantization: fp8", source.read_text())
    )
    answer = json.loads(weighbridge("launch", str(path), "--dry-run", "--json").stdout)
    assert "mixtral-fp8" in answer["routes"]
    assert answer["command"][answer["command"].index("--quantization") + 1] == "fp8"
    assert answer["need_bytes"]["weights"] < 40e9


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("llama-3.1-70",), 2, "did you mean 'llama-3.1-70b'?"),
        (("llama-3.1-70b", "--lora", "nopath"), 2, "NAME=PATH"),
        (("llama-3.1-70b", "--host", "0.0.0.0"), 2, "set VLLM_API_KEY"),
        (("smollm2-135m", "--host", "0.0.0.0"), 2, "loopback only"),
        (("llama-3.1-70b", "--python", "/nonexistent/python"), 3, "/nonexistent/python cannot look at this machine"),
        (("llama-3.1-70b", "--python", sys.executable), 3, "has no vLLM"),
        (("llama-3.1-70b",), 3, "no vLLM was found for llama-3.1-70b, which needs:"),
    ],
)
def test_what_is_wrong_is_said(words: tuple[str, ...], status: int, said: str) -> None:
    done = weighbridge("launch", *words, PATH="/nonexistent")
    assert done.returncode == status, done.stderr
    assert said in done.stderr


def test_a_preset_with_an_unknown_key_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    source = Path(__file__).parents[2] / "deploy/presets/llama-3.1-70b.yaml"
    path.write_text(source.read_text() + "max_len: 3\n")
    done = weighbridge("launch", str(path), "--dry-run")
    assert done.returncode == 2
    assert "max_len" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_presets_are_listed() -> None:
    assert set(json.loads(weighbridge("presets", "--json").stdout)) == set(preset_names())
    assert "Mixtral-8x22B" in weighbridge("presets").stdout

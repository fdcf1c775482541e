#!/usr/bin/env bash
# Writes every lock anew: ours from pyproject.toml, the installer's, and those of vLLM. Versions that still fit are kept.

. "$(dirname "$0")/common.sh"
cd "$setup_dir/../.."
need_uv

export=("$uv" export -q --format requirements-txt --no-emit-project --no-header --no-annotate)
"$uv" lock -q
"${export[@]}" --no-dev -o requirements.lock
"${export[@]}" --no-dev --extra postgres -o requirements-postgres.lock
"${export[@]}" --no-dev --extra claude -o requirements-claude.lock
"${export[@]}" --extra claude --extra postgres --extra syntax -o requirements-dev.lock
"$uv" pip compile -q --universal --generate-hashes --no-annotate --no-header --python-version 3.11 - \
    -o deploy/setup/tools.lock <<<uv
"$uv" pip compile -q --universal --generate-hashes --no-annotate --no-header --python-version 3.11 - \
    -o deploy/setup/build.lock <<<hatchling
deploy/vllm-cpu/lock.sh
deploy/bench-peers/lock.sh
deploy/clients/lock.sh

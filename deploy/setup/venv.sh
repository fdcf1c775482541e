#!/usr/bin/env bash
# venv.sh runtime|dev: makes or refreshes .venv in this clone, hash-pinned, with the package itself editable.
# Does nothing where .venv already holds what the locks say. `dev` holds all of `runtime`. With ANTHROPIC_API_KEY in the
# environment, `runtime` has what a route to Claude needs.

. "$(dirname "$0")/common.sh"
cd "$setup_dir/../.."

case ${1:-} in
    runtime) lock=requirements.lock ;;
    dev) lock=requirements-dev.lock ;;
    *) fail 2 "usage: $0 runtime|dev" ;;
esac
if [ "$1" = runtime ] && [ -n "${ANTHROPIC_API_KEY:-}" ]; then lock=requirements-claude.lock; fi

stamp_of() { echo "$(hash_of "$1" pyproject.toml) $PWD"; } # a moved clone needs a new editable install

need_packages bubblewrap
command -v node >/dev/null || need_packages nodejs # JavaScript tasks
stamps=.venv/weighbridge-stamps
if .venv/bin/python -c "" 2>/dev/null && grep -qxF "$(stamp_of "$lock")" "$stamps" 2>/dev/null; then exit 0; fi

need_uv
.venv/bin/python -c "" 2>/dev/null || "$uv" venv -q --clear --python "$python" .venv
rm -f "$stamps"
step "environment of $lock" "$uv" pip install --python .venv/bin/python --compile-bytecode --require-hashes -r "$lock"
step "weighbridge itself" "$uv" pip install --python .venv/bin/python --no-deps -e .
{
    stamp_of requirements.lock # which every other lock contains
    if [ "$lock" != requirements.lock ]; then stamp_of requirements-claude.lock; fi
    if [ "$1" = dev ]; then stamp_of "$lock"; fi
} >"$stamps.tmp"
mv "$stamps.tmp" "$stamps"

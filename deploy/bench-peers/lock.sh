#!/usr/bin/env bash
# Writes the locks of the peers that `make bench` measures anew. To change a version, edit it here.

. "$(dirname "$0")/../setup/common.sh"
cd "$(dirname "$0")"
need_uv

compile=("$uv" pip compile -q --universal --generate-hashes --no-annotate --no-header --python-version 3.11 -)
# 1.82.7 and 1.82.8 were malware, 1.83.6 and older have a SQL injection, 1.107.0 is gone; the one that requirements-claude.lock has.
"${compile[@]}" -o litellm.lock <<<'litellm[proxy]==1.106.2'
"${compile[@]}" -o vllm-router.lock <<<'vllm-router==0.1.17'

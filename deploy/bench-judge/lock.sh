#!/usr/bin/env bash
# Writes the locks of the judge that `make bench-judge` measures anew. To change its version, edit it here.

. "$(dirname "$0")/../setup/common.sh"
cd "$(dirname "$0")"
need_uv

compile=("$uv" pip compile -q --universal --generate-hashes --no-annotate --no-header --python-version 3.11 -)
# EvalPlus alone, and what `evalplus.evaluate` imports. The rest of what it requires asks models: transformers and others.
imports=(appdirs datasets fire numpy psutil rich tempdir termcolor tqdm tree-sitter tree-sitter-python wget)
"${compile[@]}" --no-deps -o evalplus.lock <<<'evalplus==0.3.1'
"${compile[@]}" -o imports.lock < <(printf '%s\n' "${imports[@]}")
"${compile[@]}" -o build.lock <<<'setuptools' # builds tempdir and wget, which come as sources only

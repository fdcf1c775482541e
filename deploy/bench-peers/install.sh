#!/usr/bin/env bash
# Makes the peers that `make bench` measures ready in the cache, each in an environment of its own, and prints where.
# What is there already is left as it is; what was interrupted is made anew.

. "$(dirname "$0")/../setup/common.sh"
cd "$(dirname "$0")"

unpack_nginx() { # out of Debian's package and not installed: installing it would start a server on port 80
    local target=$home.new/nginx
    mkdir "$target"
    (cd "$target" && apt-get download -q nginx) || { # no package lists yet
        need_packages nginx-common # fetches them; holds configuration only, no service
        (cd "$target" && apt-get download -q nginx)
    }
    dpkg-deb -x "$target"/nginx_*.deb "$target"
    rm "$target"/nginx_*.deb
}

command -v apt-get >/dev/null || fail 3 "the peers are installed on Debian only; --only weighbridge measures without them"
need_python
home=$cache_dir/bench-$(hash_of install.sh litellm.lock vllm-router.lock <(echo "$python"))
mkdir -p "$cache_dir"
exec 9>"$cache_dir/bench-peers.lock"
flock 9
if [ ! -d "$home" ]; then
    need_uv
    need_packages libpcre2-8-0 libssl3 zlib1g
    say "Installing what is measured beside the gateway into $home, once"
    rm -rf "$home.new"
    mkdir "$home.new"
    make_environment "$home.new/litellm" -r litellm.lock
    make_environment "$home.new/vllm-router" -r vllm-router.lock
    step "nginx" unpack_nginx
    mv -T "$home.new" "$home"
fi
echo "$home"

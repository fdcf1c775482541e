#!/usr/bin/env bash
# build.sh [--tar]: the image in which the Docker sandbox runs judged code: a Debian with the toolchains of every language,
# made from Debian's packages alone, without a registry. Loads it as weighbridge-sandbox into the engine that `docker`
# speaks to; with --tar it only prints where the image's tar is. The tar stays in the cache until a package list changes.

. "$(dirname "$0")/../setup/toolchains.sh"

release=bookworm
make_tar() {
    local options=(--variant=minbase) path
    need_packages mmdebstrap
    command -v mmdebstrap >/dev/null || fail 3 "mmdebstrap is missing; install it: apt-get install mmdebstrap"
    options+=(--aptopt='APT::Install-Recommends "false"' --dpkgopt=force-unsafe-io)
    for path in doc man locale info lintian icons fonts; do
        options+=("--dpkgopt=path-exclude=/usr/share/$path/*")
    done
    # Java's package writes a link there. A quarter of the packages is what only other tools are made of.
    options+=(--essential-hook='mkdir -p "$1/usr/share/man/man1"')
    options+=(--customize-hook='rm -rf "$1"/var/lib/apt/lists "$1"/var/cache/* "$1"/var/log/* "$1"/var/lib/dpkg/info')
    options+=(--customize-hook='cd "$1" && rm -rf usr/lib/go-*/pkg/linux_*/cmd usr/share/go-*/{test,api} usr/lib/jvm/*/jmods \
        usr/bin/*lto-dump* usr/share/nodejs/typescript/lib/tsserver*')
    options+=("--include=$(IFS=,; echo "${languages[*]},${libraries[*]}")")
    step "the sandbox's image: a Debian with ${#languages[@]} toolchains" mmdebstrap "${options[@]}" "$release" "$tar.$$.tar"
    rm -f "$cache_dir"/sandbox-image-????????????.tar
    mv "$tar.$$.tar" "$tar"
}

key=$(hash_of <(declare -f make_tar; printf '%s\n' "$release" "${languages[@]}" "${libraries[@]}"))
tar=$cache_dir/sandbox-image-$key.tar
image=weighbridge-sandbox:$key
mkdir -p "$cache_dir"
exec 8>"$cache_dir/sandbox-image.lock"
flock 8
[ -f "$tar" ] || make_tar
if [ "${1:-}" = --tar ]; then
    echo "$tar"
    exit
fi
command -v docker >/dev/null || fail 3 "docker is missing; install it: apt-get install docker.io"
if ! docker image inspect "$image" >/dev/null 2>&1; then
    step "loading the image" docker import "$tar" "$image"
    for older in $(docker image ls --format '{{.Repository}}:{{.Tag}}' weighbridge-sandbox); do
        [ "$older" = "$image" ] || docker image rm "$older" >/dev/null 2>&1 || say "  $older stays: it is in use"
    done
fi
docker tag "$image" weighbridge-sandbox:latest
echo "$image"

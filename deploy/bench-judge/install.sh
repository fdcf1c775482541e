#!/usr/bin/env bash
# Makes EvalPlus, which `make bench-judge` measures, ready in the cache, in an environment of its own, and prints where.
# What is there already is left as it is; what was interrupted is made anew.

. "$(dirname "$0")/../setup/common.sh"
cd "$(dirname "$0")"

need_python
home=$cache_dir/bench-judge-$(hash_of install.sh evalplus.lock imports.lock build.lock <(echo "$python"))
mkdir -p "$cache_dir"
exec 9>"$cache_dir/bench-judge.lock"
flock 9
if [ ! -d "$home" ]; then
    need_uv
    say "Installing what is measured beside the judge into $home, once"
    rm -rf "$home.new"
    mkdir "$home.new"
    make_environment "$home.new/evalplus" --no-deps --build-constraints build.lock -r evalplus.lock -r imports.lock
    mv -T "$home.new" "$home"
fi
echo "$home"

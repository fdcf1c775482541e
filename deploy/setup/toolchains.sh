#!/usr/bin/env bash
# toolchains.sh: the compilers and interpreters of all languages that are judged, and the libraries that public suites use.
# All are Debian packages, installed in one go; does nothing where they are there. Judging itself fetches nothing.

. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

languages=(
    bash gcc g++ mono-mcs gnucobol4 gfortran golang-go default-jdk-headless nodejs node-typescript lua5.4 perl php-cli
    python3 ruby rustc
)
libraries=(
    golang-github-stretchr-testify-dev libboost-dev libc6-dev libjavatuples-java libmono-system-numerics4.0-cil
    librust-md5-dev librust-rand-dev librust-regex-dev libssl-dev libtest-deep-perl lua-unit ruby-test-unit
)
# Sourced (for the sandbox's image) it only says which.
if [ "${BASH_SOURCE[0]}" = "$0" ]; then need_packages "${languages[@]}" "${libraries[@]}"; fi

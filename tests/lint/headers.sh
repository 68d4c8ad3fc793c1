#!/usr/bin/env bash
# Every header compiles alone: it includes what it uses. Those that are the first include of a source
# file are proven by its compilation.
set -euo pipefail
cd "$(dirname "$0")/../.."

flags=$(pkg-config --cflags libdpdk libuv libcjson | sed 's/-I/-isystem/g')
export flags

alone() {
	# shellcheck disable=SC2086
	echo "#include \"$1\"" | gcc -std=gnu2x -march=x86-64-v2 -D_GNU_SOURCE -Wall -Wextra -Werror \
		-I. $flags -fsyntax-only -x c - || { echo "$1 does not compile alone" >&2 && return 1; }
}
export -f alone
first() {
	git ls-files '*.c' | xargs awk 'FNR == 1 { n = 0 } /^#include/ && n++ == 0 { print $2 }' | tr -d '"' | sort -u
}
git ls-files '*.h' | sort | comm -23 - <(first) | xargs -P "$(nproc)" -I{} bash -c 'alone {}'

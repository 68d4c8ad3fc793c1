#!/usr/bin/env bash
# Every header compiles alone: it includes what it uses.
set -euo pipefail
cd "$(dirname "$0")/../.."

flags=$(pkg-config --cflags libdpdk libuv libcjson | sed 's/-I/-isystem/g')
failed=0
while read -r header; do
	# shellcheck disable=SC2086
	echo "#include \"$header\"" | gcc -std=gnu2x -march=x86-64-v2 -D_GNU_SOURCE -Wall -Wextra -Werror \
		-I. $flags -fsyntax-only -x c - || { echo "$header does not compile alone" >&2 && failed=1; }
done < <(git ls-files '*.h')
exit $failed

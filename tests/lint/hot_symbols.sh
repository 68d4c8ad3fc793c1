#!/usr/bin/env bash
# Stages call nothing but each other: so they cannot allocate, log, lock or
# enter the kernel. Nor do they divide, use floats, or change memory atomically: no burst waits.
#   tests/lint/hot_symbols.sh ARCHIVE-OF-THE-STAGES
set -euo pipefail
archive=$1
failed=0

own=$(nm --defined-only --extern-only "$archive" | awk 'NF == 3 { printf "%s ", $3 }')
[ -n "$own" ] || { echo "no stage in $archive" >&2 && exit 1; }

foreign=$(nm --undefined-only --print-file-name "$archive" | awk -v known="$own" '
	BEGIN { n = split(known, names, " "); for (i = 1; i <= n; i++) fine[names[i]] = 1 }
	!($NF in fine)')
if [ -n "$foreign" ]; then
	echo "the hot path calls what it must not:" >&2
	echo "$foreign" >&2
	failed=1
fi

# An xchg with memory is atomic without saying so.
slow=$(objdump --disassemble --no-show-raw-insn "$archive" | awk '
	/^[^ ].*file format/ { object = $1 }
	/^[0-9a-f]+ <.*>:$/ { where = $2 }
	/^ +[0-9a-f]+:\t(lock|v?i?div|v?cvt)/ || /^ +[0-9a-f]+:\txchg.*\(/ { print object, where, $0 }')
if [ -n "$slow" ]; then
	echo "the hot path has slow instructions:" >&2
	echo "$slow" >&2
	failed=1
fi
exit $failed

#!/usr/bin/env bash
# Runs every fuzz target of a build for some seconds each, two at a time, from the kept corpus.
# New inputs go to a scratch folder; an input that crashes is left in the build folder.
#   tests/fuzz/run.sh BUILD SECONDS
set -euo pipefail
build=$1 seconds=$2
here=$(dirname "$0")

run_one() {
	local target=$1 name scratch
	name=$(basename "$target")
	scratch=$(mktemp -d)
	if "$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=4096 -artifact_prefix="$build/$name-" -print_final_stats=1 \
		"$scratch" "$here/corpus/${name#fuzz_}" >"$build/$name.log" 2>&1; then
		echo "$name: $(sed -n 's/^stat::number_of_executed_units: *//p' "$build/$name.log") inputs, no crash"
		rm -rf "$scratch"
	else
		tail -50 "$build/$name.log"
		rm -rf "$scratch"
		return 1
	fi
}

pids=()
for target in "$build"/tests/fuzz/fuzz_*; do
	[ -f "$target" ] && [ -x "$target" ] || continue
	run_one "$target" &
	pids+=($!)
done
[ ${#pids[@]} -gt 0 ] || { echo "no fuzz target in $build" >&2 && exit 1; }
for pid in "${pids[@]}"; do wait "$pid"; done

#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# No two folders define the same global name: in static libraries the linker
# silently takes the first of two functions. Looks at a finished build.
# Usage: tests/lint/symbols.sh [BUILD_FOLDER]
cd "$(dirname "$0")/../.." || exit 1
build=${1:-build/release}
set -- "$build"/lib*.a
[ -f "$1" ] || { echo "symbols: no libraries in $build: cmake --preset release && cmake --build --preset release"; exit 1; }
twice=$(for library in "$@"; do
    nm -g --defined-only "$library" | awk 'NF == 3 {print $3}' | sort -u
done | sort | uniq -d)
for name in $twice; do
    echo "$name: in$(for library in "$@"; do
        nm -g --defined-only "$library" | grep -q " $name\$" && printf ' %s' "$(basename "$library")"
    done)"
done
[ -z "$twice" ] || exit 1
echo "symbols: $# libraries, clean"

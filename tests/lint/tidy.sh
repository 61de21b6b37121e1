#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# clang-tidy (.clang-tidy says which checks and why not the others) over the
# programs' sources, on all cores.
set -euo pipefail
cd "$(dirname "$0")/../.."
[ -f build/clang/compile_commands.json ] || cmake --preset clang
git ls-files -co --exclude-standard '*.c' | grep -v '^tests/' |
    xargs -P "$(nproc)" -n 4 clang-tidy --quiet -p build/clang
echo "tidy: clean"

#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# gcc -fanalyzer over the programs: the leak checker (clang's analyzer does not
# know the cleanup attribute).
set -euo pipefail
cd "$(dirname "$0")/../.."
cmake --preset analyze >/dev/null
cmake --build --preset analyze --target programs
echo "analyze: clean"

#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Style: clang-format, licence lines, file and function sizes, shell scripts,
# spelling. Prints each breach.
set -u
cd "$(dirname "$0")/../.." || exit 1
bad=0
mapfile -t sources < <(git ls-files -co --exclude-standard '*.c' '*.h')
mapfile -t scripts < <(git ls-files -co --exclude-standard | while read -r f; do
    [ -f "$f" ] && head -c 64 "$f" | grep -qaE '^#!/bin/(ba)?sh' && echo "$f"; done)

clang-format --dry-run --Werror "${sources[@]}" 2>/tmp/format.$$ || {
    grep -oE '^[^:]+:[0-9]+' /tmp/format.$$ | sort -u | head -40
    echo "style: run clang-format -i on these"
    bad=1
}
rm -f /tmp/format.$$

for file in "${sources[@]}" "${scripts[@]}"; do
    head -4 "$file" | grep -q 'SPDX-License-Identifier: Apache-2.0' || {
        echo "$file: no SPDX line"
        bad=1
    }
done
# Tables and test files may be longer than the 400 lines that we aim at.
for file in "${sources[@]}"; do
    lines=$(wc -l <"$file") max=500
    case $file in tests/*) max=900 ;; esac
    [ "$lines" -le $max ] || { echo "$file: $lines lines, at most $max: split it by noun"; bad=1; }
done
if git grep -nIE '\b(TODO|FIXME|XXX|HACK)\b' -- '*.c' '*.h' '*.sh' '*.py' '*.yaml' ':!tests/lint/style.sh'; then
    echo "style: marks left"
    bad=1
fi
shellcheck "${scripts[@]}" || bad=1
mapfile -t texts < <(git ls-files -co --exclude-standard -- '*.c' '*.h' '*.md' '*.yaml' '*.sh')
codespell -q 3 -L 'crate,fo,hist,inout,nd' "${texts[@]}" || bad=1
[ $bad -eq 0 ] && echo "style: clean"
exit $bad

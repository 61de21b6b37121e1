#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The manual pages are made from each program's --help and pass mandoc's lint;
# every option of a --help is in its page.
set -euo pipefail
cd "$(dirname "$0")/../.."
bin=build/release/bin
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
packaging/man/generate $bin "$out"
bad=0
mandoc -Tlint -W warning "$out"/*.8 || bad=1
for page in "$out"/*.8; do
    name=$(basename "$page" .8)
    shown=$(mandoc -Tascii "$page" | sed 's/.\x08//g')
    for option in $($bin/"$name" --help | grep -oE '^  --[a-z-]+' | sort -u); do
        grep -qe "$option" <<<"$shown" || { echo "$name.8 lacks $option" && bad=1; }
    done
done
[ $bad -eq 0 ] && echo "manuals: clean"
exit $bad

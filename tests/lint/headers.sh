#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Each header compiles alone, with gcc and clang, so that the order of includes
# never matters.
cd "$(dirname "$0")/../.." || exit 1
flags="-std=gnu17 -D_GNU_SOURCE -I. -Wall -Wextra -Wpedantic -Werror -fsyntax-only"
flags="$flags $(pkg-config --cflags libnl-3.0 jansson libxml-2.0)"
bad=0 count=0
for header in $(git ls-files -co --exclude-standard '*.h'); do
    count=$((count + 1))
    for compiler in gcc clang; do
        # shellcheck disable=SC2086 # flags are words
        echo "#include \"$header\"" | $compiler $flags -x c - || {
            echo "$header does not compile alone with $compiler"
            bad=1
        }
    done
done
[ $bad -eq 0 ] && echo "headers: $count compile alone"
exit $bad

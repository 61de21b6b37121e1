#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Holds docs/metrics.md against the names in the code; types and labels are
# checked on a running scheduler (tests/integration/test_rest.py).
cd "$(dirname "$0")/../.." || exit 1
# Names stand in calls of common/base/metrics.h; other texts begin alike.
calls='metrics_(counter|gauge|histogram|head)\([^;]*;'
in_code=$({
    grep -rhozE "$calls" --include='*.c' common api scheduler | tr '\0' '\n'
    cat common/base/metrics_process.c
} | grep -oE '"(sriov|process)_[a-z_]+"' | tr -d '"' | sort -u)
in_text=$(sed -n 's/^| .\([a-z_]*_[a-z_]*\). |.*/\1/p' docs/metrics.md | sort -u)
bad=0
for name in $in_code; do
    echo "$in_text" | grep -qx "$name" || { echo "$name: not in docs/metrics.md"; bad=1; }
done
for name in $in_text; do
    echo "$in_code" | grep -qx "$name" || { echo "$name: in docs/metrics.md, but not in the code"; bad=1; }
done
[ $bad -eq 0 ] && echo "metrics: $(echo "$in_code" | wc -l) names, clean"
exit $bad

#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Holds the layers: which folder may include which, and which folder owns each
# third-party header (docs/architecture.md, "Folders"). Prints each breach.
cd "$(dirname "$0")/../.." || exit 1

# FOLDER: the folders of ours it may include (itself is always allowed).
rules='
common/base:
common/model: common/base
common/domain: common/base common/model
api/wire: common/base common/model
api/http: common/base common/model api/wire
api/client: common/base common/model api/wire
db: common/base
scheduler/core: common/base common/model
scheduler/service: common/base common/model api/wire scheduler/core db
scheduler/handlers: common/base common/model common/domain api/wire api/http scheduler/core scheduler/service
scheduler: common/base common/model api/wire api/http scheduler/core scheduler/service scheduler/handlers db
agent/core: common/base common/model common/domain
agent/host/sim: common/base common/model common/domain agent/host
agent/host: common/base common/model common/domain plugins
agent/fleet: common/base common/model common/domain api/wire api/client agent agent/core agent/host agent/host/sim
agent: common/base common/model common/domain api/wire api/client agent/core agent/host
cli: common/base common/model api/wire api/client
plugins:
plugins/nic: plugins
plugins/hook: common/base common/model common/domain
'
# HEADER PATTERN: the folders that may include it.
owners='
jansson\.h: common/base api scheduler/handlers cli agent/fleet
microhttpd\.h: api/http
gnutls/: api/http
curl/: api/client
sqlite3\.h: db/sqlite
netlink/: agent/host
dlfcn\.h: agent/host
libvirt/: agent/host
libxml/: common/domain
ini\.h: common/base
systemd/: common/base
'

under() { case $1/ in "$2"/*) return 0 ;; esac; return 1; }

# The longest rule folder that a file lies in.
rule_of() {
    best=
    for folder in $(printf '%s' "$rules" | sed -n 's/:.*//p'); do
        under "$1" "$folder" && [ ${#folder} -gt ${#best} ] && best=$folder
    done
    printf '%s' "$best"
}

breaches=$(
    git ls-files -co --exclude-standard '*.c' '*.h' | grep -v '^tests/' | while read -r file; do
        [ -f "$file" ] || continue
        folder=$(rule_of "$(dirname "$file")")
        [ -n "$folder" ] || { echo "$file: in no folder of the layer table"; continue; }
        allowed=$(printf '%s' "$rules" | sed -n "s|^$folder: *||p")
        sed -n 's/^#include "\(.*\)"/\1/p' "$file" | while read -r header; do
            target=$(rule_of "$(dirname "$header")")
            [ -n "$target" ] || { echo "$file: includes \"$header\", which is in no folder of ours (write the path from the root)"; continue; }
            ok=0
            for place in $folder $allowed; do
                { [ "$target" = "$place" ] || { [ "$place" = db ] && under "$target" db; }; } && ok=1
            done
            [ $ok -eq 1 ] || echo "$file: $folder may not include $target ($header)"
        done
        printf '%s\n' "$owners" | while IFS=: read -r pattern places; do
            [ -n "$pattern" ] || continue
            grep -q "^#include <$pattern" "$file" || continue
            ok=0
            for place in $places; do under "$(dirname "$file")" "$place" && ok=1; done
            [ $ok -eq 1 ] || echo "$file: <$pattern> belongs to$places"
        done
    done
)
if [ -n "$breaches" ]; then
    printf '%s\n' "$breaches"
    echo "layers: $(printf '%s\n' "$breaches" | wc -l) breaches"
    exit 1
fi
echo "layers: clean"

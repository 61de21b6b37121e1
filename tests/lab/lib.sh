#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Functions of the lab's commands. Sourced, never run.
# shellcheck disable=SC2016,SC2034 # text for the hosts' shells; variables for those who source this
LAB=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
CACHE=${SRIOV_LAB_CACHE:-/var/cache/sriov-lab}
STATE=${SRIOV_LAB_STATE:-/var/lib/sriov-lab}
BRIDGE_ADDRESS=10.40.0.1 DATA_ADDRESS=10.50.0.1
MEMORY_MIB=${SRIOV_LAB_MEMORY:-768}
export LC_ALL=C

say() { printf '[%4ds] %s\n' "$SECONDS" "$*"; }
die() { printf 'lab: %s\n' "$*" >&2; exit 1; }

# need_root, need_commands: say at once, and all together, what is missing.
need_root() { [ "$(id -u)" -eq 0 ] || die "needs root (network namespaces, taps, chroot): run it with sudo"; }
need_commands() { # COMMAND:PACKAGE...
    local pair missing=()
    for pair in "$@"; do command -v "${pair%%:*}" >/dev/null || missing+=("${pair##*:}"); done
    [ ${#missing[@]} -eq 0 ] || die "missing programs; install them: apt-get install ${missing[*]}"
}
need_tun() {
    [ -c /dev/net/tun ] || die "no /dev/net/tun: modprobe tun; in a container or chroot: mkdir -p /dev/net && mknod /dev/net/tun c 10 200"
    { : <>/dev/net/tun; } 2>/dev/null || die "/dev/net/tun can't be opened: the kernel has no tun driver, or this container may not use it"
}

# Where the programs are and where the scheduler listens; BUILD names another build folder.
BIN=$(realpath -m "${BUILD:-$LAB/../../build/release}")/bin
SERVER=http://$BRIDGE_ADDRESS:8470
export BIN SERVER
need_programs() {
    local program
    for program in sriov-scheduler sriov-agent sriov-admin; do
        [ -x "$BIN/$program" ] || die "no $BIN/$program: build it first (cmake --preset release && cmake --build --preset release)"
    done
}

# --- runs -------------------------------------------------------------------------------------------------------------
# A run is a folder: netns (name), images (SUITE FOLDER), hosts (NAME KIND ID EXTRA,… or -), and per host HOST.pid
# HOST.console HOST.qcow2 (disk writes) HOST.ctl (ssh).

take_dir_option() { # sets RUN and REST from "$@": [--dir DIR] anything...
    RUN=""
    if [ "${1:-}" = --dir ]; then
        [ $# -ge 2 ] || die "--dir needs a folder"
        RUN=$(realpath -m "$2")
        shift 2
    fi
    REST=("$@")
}

find_run() { # RUN, or the one that `up` noted as current
    [ -n "$RUN" ] || RUN=$(cat "$STATE/current" 2>/dev/null) || die "no lab is up: start one with tests/lab/up"
    [ -f "$RUN/netns" ] || die "no lab in $RUN: start one with tests/lab/up"
    NETNS=$(<"$RUN/netns")
}

host_line() { # HOST: sets HOST KIND ID EXTRA
    HOST=$1
    read -r KIND ID EXTRA < <(awk -v h="$1" '$1 == h { print $2, $3, $4 }' "$RUN/hosts") ||
        die "no host '$1' in this lab; there are: $(awk '{ printf "%s ", $1 }' "$RUN/hosts")"
    [ "$EXTRA" != - ] || EXTRA=
}

# nsenter, not "ip netns exec": that mounts a new /sys, which a plain chroot does not allow.
in_netns() { nsenter --net="/run/netns/$NETNS" -- "$@"; }

host_alive() { # HOST: is its QEMU (and not a later process with the same id) running?
    local pid
    pid=$(cat "$RUN/$1.pid" 2>/dev/null) || return 1
    tr '\0' '\n' 2>/dev/null <"/proc/$pid/cmdline" | grep -qxF "$RUN/$1.pid"
}

host_ssh() { # HOST SHELL-TEXT: run it inside; standard input is handed on
    host_line "$1"
    in_netns ssh -F none -i "$RUN/key" -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR \
        -o ConnectTimeout=10 -o ServerAliveInterval=10 -o BatchMode=yes \
        -o ControlMaster=auto -o "ControlPath=$RUN/$1.ctl" -o ControlPersist=3600 "root@10.40.0.$((10 + ID))" "$2"
}

host_hang_up() { # HOST: ends the ssh connection that further commands would use
    in_netns ssh -F none -o "ControlPath=$RUN/$1.ctl" -O exit lab 2>/dev/null || true
    rm -f "$RUN/$1.ctl"
}

host_exec() { # HOST CMD...: one argument is shell text, several are one command with its arguments
    local host=$1
    shift
    if [ $# -eq 1 ]; then host_ssh "$host" "$1"; else host_ssh "$host" "$(printf '%q ' "$@")"; fi
}

host_push() { # HOST FILE DEST: copied next to DEST and renamed, mode kept, durable
    local mode
    [ -f "$2" ] || die "push: no file $2"
    mode=$(stat -c %a "$2")
    host_ssh "$1" "$(printf 'd=%q; mkdir -p "${d%%/*}" && cat >"$d.new" && chmod %s "$d.new" && sync "$d.new" && mv "$d.new" "$d" && sync "${d%%/*}"' "$3" "$mode")" <"$2"
}

qmp() { # HOST JSON: send one command to its QEMU, print the answer
    host_line "$1"
    in_netns bash "$LAB/qmp" "$((4000 + ID))" "$2"
}

# The igb card as QMP arguments of device_add; the same JSON for QEMU's -device.
igb_device() { # ID
    printf '{"driver": "igb", "id": "pf0", "bus": "rp0", "netdev": "d0", "mac": "52:54:00:bb:00:0%s"}\n' "$1"
}

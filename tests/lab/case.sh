#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What test cases share: calls, what the kernels say, checks. Sourced, never run. `tests/lab/run` sets RUN, BIN and SERVER.
# shellcheck disable=SC2034 # variables for those who source this
# shellcheck source=tests/lab/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=tests/lab/guest.sh
. "$(dirname "${BASH_SOURCE[0]}")/guest.sh"
find_run
TOKEN_FILE=$RUN/data/admin.token
# By kind: the card's address, its netdev, how many VFs `start` enables, the physical network it is put on.
PF_igb=0000:01:00.0 NETDEV_igb=pf0 VFS_igb=7 NET_igb=physnet0
PF_netdevsim=netdevsim1 NETDEV_netdevsim=eni1np1 VFS_netdevsim=64 NET_netdevsim=physnet1
PF_virtio=0000:01:00.0 NETDEV_virtio=pf0 VFS_virtio=4 NET_virtio=physnet2
PF_deb12=0000:01:00.0 NETDEV_deb12=pf0 VFS_deb12=7 NET_deb12=physnet3
kind_of() { (host_line "$1" && echo "$KIND"); }
pf_of() { local name && name=PF_$(kind_of "$1") && echo "${!name}"; }
netdev_of() { local name && name=NETDEV_$(kind_of "$1") && echo "${!name}"; }
net_of() { local name && name=NET_$(kind_of "$1") && echo "${!name}"; }
has_host() { awk -v h="$1" '$1 == h { found = 1 } END { exit !found }' "$RUN/hosts"; } # HOST: is it in this lab?
vfs_of() { local name && name=VFS_$(kind_of "$1") && echo "${!name}"; }

fail() {
    printf '    FAILED: %s\n' "$*"
    exit 1
}
# check WHAT EXPECTED ACTUAL: both are JSON or text; the order of members does not matter.
check() {
    local expected actual
    expected=$(jq -cS . <<<"$2" 2>/dev/null || printf '%s' "$2")
    actual=$(jq -cS . <<<"$3" 2>/dev/null || printf '%s' "$3")
    [ "$expected" = "$actual" ] || fail "$1"$'\n'"      expected $expected"$'\n'"      got      $actual"
    printf '    ok: %s\n' "$1"
}
now_ms() { echo $((${EPOCHREALTIME/./} / 1000)); }
# within SECONDS WHAT COMMAND...: true within that time, asked every 50 ms.
within() {
    local seconds=$1 what=$2 begin
    shift 2
    begin=$(now_ms)
    until "$@"; do
        [ $(($(now_ms) - begin)) -lt $((seconds * 1000)) ] || fail "not within $seconds s: $what"
        sleep 0.05
    done
    TOOK_MS=$(($(now_ms) - begin))
}

# --- the scheduler's REST, from inside the lab's network ---------------------------------------------------------------
# api METHOD PATH [JSON]: the answer in ANSWER, its status in STATUS (000: no answer).
api() {
    local body=(-s -m 20 -o "$RUN/answer" -w '%{http_code}' -X "$1" -H @"$RUN/header")
    [ -f "$RUN/header" ] || printf 'Authorization: Bearer %s\n' "$(<"$TOKEN_FILE")" >"$RUN/header"
    [ $# -lt 3 ] || body+=(-H 'Content-Type: application/json' --data-binary "$3")
    : >"$RUN/answer"
    STATUS=$(in_netns curl "${body[@]}" "$SERVER$2") || STATUS=000
    ANSWER=$(<"$RUN/answer")
}
answer() { jq -r "$@" <<<"$ANSWER"; }
expect_status() { [ "$STATUS" = "$1" ] || fail "$2: expected status $1, got $STATUS: $ANSWER"; }

create_vm() { # JSON: makes it, its id in VM
    api POST /v1/vms "$1"
    expect_status 201 "create $(jq -r .name <<<"$1")"
    VM=$(answer .id)
}
vm_applied() { # ID
    api GET "/v1/vms/$1"
    [ "$STATUS" = 200 ] && [ "$(answer '[.conditions[] | select(.type == "PolicyApplied") | .status] | first')" = True ]
}
vm_gone() { # ID
    api GET "/v1/vms/$1"
    [ "$STATUS" = 404 ]
}
delete_vm() { # ID: and wait until its VFs are proven clean
    api DELETE "/v1/vms/$1"
    case $STATUS in 2* | 404) ;; *) fail "delete of $1: status $STATUS: $ANSWER" ;; esac
    within 30 "VM $1 gone, its VFs clean" vm_gone "$1"
}
delete_all_vms() {
    local id
    api GET '/v1/vms?limit=1000'
    for id in $(answer '.items[].id'); do api DELETE "/v1/vms/$id"; done
    within 60 "all VMs gone" no_vms
}
no_vms() { api GET '/v1/vms?limit=1000' && [ "$STATUS" = 200 ] && [ "$(answer '.items | length')" = 0 ]; }
host_ready() { api GET "/v1/hosts/$1" && [ "$STATUS" = 200 ] && [ "$(answer .state)" = ready ]; }
free_vfs_are() { # HOST N
    api GET "/v1/hosts/$1" && [ "$STATUS" = 200 ] && [ "$(answer .free_vf_count)" = "$2" ]
}

# --- what the kernels say -----------------------------------------------------------------------------------------------
# kernel_vfs HOST: by VF index, in the words of a policy; read with `ip`, in the host.
kernel_vfs() {
    host_ssh "$1" "ip -j -d link show $(netdev_of "$1")" </dev/null | jq -c '[(.[0].vfinfo_list // [])[] | {key: (.vf | tostring), value: {
        mac: .address, vlan: (.vlan_list[0].vlan // 0), vlan_qos: (.vlan_list[0].qos // 0),
        vlan_proto: (.vlan_list[0].protocol // "802.1q" | ascii_downcase),
        min_tx_rate_mbps: (.rate.min_tx // 0), max_tx_rate_mbps: (.rate.max_tx // 0),
        spoofchk: (if .spoofchk then "on" else "off" end), trust: (if .trust then "on" else "off" end), link_state}}] | from_entries'
}
kernel_vf() { kernel_vfs "$1" | jq -c --arg n "$2" '.[$n]'; } # HOST INDEX

# A VF that reads clean, apart from its MAC: that is zero, or what the VF's own driver on the host gave itself.
CLEAN='{"vlan":0,"vlan_qos":0,"vlan_proto":"802.1q","min_tx_rate_mbps":0,"max_tx_rate_mbps":0,"spoofchk":"on","trust":"off","link_state":"auto"}'
check_clean() { # HOST INDEX FORMER-MAC
    local vf mac own
    vf=$(kernel_vf "$1" "$2")
    check "$1 VF $2 reads back clean" "$CLEAN" "$(jq -c 'del(.mac)' <<<"$vf")"
    mac=$(jq -r .mac <<<"$vf")
    [ "$mac" != "$3" ] || fail "$1 VF $2 still has the MAC $3"
    [ "$mac" = 00:00:00:00:00:00 ] || {
        own=$(host_ssh "$1" "cat /sys/bus/pci/devices/$(pf_of "$1")/virtfn$2/net/*/address" </dev/null || true)
        check "$1 VF $2: MAC is that of its own netdev" "$own" "$mac"
    }
}

# --- the programs -------------------------------------------------------------------------------------------------------
scheduler_start() {
    # Not by in_netns: behind a function $! would be a shell's id, and a kill would miss the scheduler.
    nsenter --net="/run/netns/$NETNS" -- "$BIN/sriov-scheduler" --listen "0.0.0.0:${SERVER##*:}" --data "$RUN/data" --insecure-listen \
        >>"$RUN/scheduler.log" 2>&1 </dev/null 9>&- &
    echo $! >"$RUN/scheduler.pid"
    disown
    within 20 "scheduler answers (see $RUN/scheduler.log)" scheduler_ready
}
# No other's: the one that answers must be the one that was started.
scheduler_ready() {
    scheduler_alive || fail "the scheduler ended at once: $(tail -n 5 "$RUN/scheduler.log")"
    [ "$(in_netns curl -s -m 2 -o /dev/null -w '%{http_code}' "$SERVER/readyz")" = 200 ]
}
# A killed process still has its id until it is reaped: that is not alive.
scheduler_alive() { grep -qE '^State:[[:space:]]+[^ZX]' "/proc/$(<"$RUN/scheduler.pid")/status" 2>/dev/null; }
scheduler_dead() { ! scheduler_alive; }
scheduler_stop() { # SIGNAL
    kill "-$1" "$(<"$RUN/scheduler.pid")" 2>/dev/null || true
    within 20 "scheduler ends" scheduler_dead
}
enroll() { # HOST: a token of its own from the scheduler, put where its agent reads it
    in_netns "$BIN/sriov-admin" host enroll "$1" --server "$SERVER" --token-file "$TOKEN_FILE" --out "$RUN/$1.token" 2>>"$RUN/admin.log" ||
        fail "sriov-admin host enroll $1: $(tail -n 3 "$RUN/admin.log")"
    host_push "$1" "$RUN/$1.token" /etc/sriov/token
}
# Guests that are emulated twice take their time, so the deadlines are longer than those of real hosts.
agent_start() { # HOST [ARGUMENT...]: of `sriov-agent run`; the last --server counts
    local host=$1
    shift
    host_ssh "$host" "nohup /usr/local/bin/sriov-agent run --server $SERVER --name $host --token-file /etc/sriov/token \
        --state-dir /var/lib/sriov-agent --unplug-deadline 120 --plug-deadline 120 $* >>/var/log/sriov-agent.log 2>&1 </dev/null & echo \$! >/run/sriov-agent.pid" </dev/null
}
agent_alive() { # HOST
    host_ssh "$1" "grep -qE '^State:[[:space:]]+[^ZX]' /proc/\$(cat /run/sriov-agent.pid)/status" </dev/null 2>/dev/null
}
agent_stop() { # HOST SIGNAL
    host_ssh "$1" "pid=\$(cat /run/sriov-agent.pid); kill -$2 \$pid 2>/dev/null; for _ in \$(seq 2000); do
        grep -qE '^State:[[:space:]]+[^ZX]' /proc/\$pid/status 2>/dev/null || exit 0; sleep 0.01; done; echo 'agent does not end'; exit 1" </dev/null
}

# --- power -----------------------------------------------------------------------------------------------------------------
# host_reboot HOST [KERNEL-ARGUMENT...]: power cut and boot; then the agent is started, and nothing else (no VFs are made).
host_reboot() {
    "$LAB/reboot" --dir "$RUN" "$@" | sed 's/^/    /'
    agent_start "$1"
}

# --- the scheduler reached over the card itself ---------------------------------------------------------------------------
# With these the agent's only way to the scheduler leads over the host's pf0, so that a change of that PF can cut it off. Our own
# commands go on over the management network.
DATA_SERVER=http://$DATA_ADDRESS:${SERVER##*:}
data_path_up() { # HOST: an address on the data bridge, over its pf0
    host_line "$1"
    host_ssh "$1" "ip addr replace 10.50.0.$((10 + ID))/24 dev pf0; ip link set pf0 up" </dev/null
    within 10 "$1 reaches $DATA_ADDRESS over its card" host_ssh "$1" "ping -c 1 -W 1 -q $DATA_ADDRESS >/dev/null" </dev/null
}
agent_start_over_data() { agent_start "$1" --server "$DATA_SERVER" "${@:2}"; } # HOST [ARGUMENT...]
data_path_cut() { host_line "$1" && in_netns ip link set "d$ID" down; }        # HOST: its card is off the data bridge
data_path_mend() { host_line "$1" && in_netns ip link set "d$ID" up; }         # HOST: and on it again
# cut_at_change HOST: cuts the data path for good as soon as the number of VFs of its card changes (an igb resets itself then: the
# link is away for half a second anyway, so nothing gets through in between). Ends when it has; its process id is in CUTTER.
cut_at_change() {
    : >"$RUN/$1.cut"
    (
        host_ssh "$1" "f=/sys/bus/pci/devices/$(pf_of "$1")/sriov_numvfs; n=\$(<\$f); echo armed at \$n
            while now=\$(<\$f) && [ \$now = \$n ]; do sleep 0.01; done; echo changed to \$now" </dev/null >"$RUN/$1.cut"
        data_path_cut "$1"
        now_ms >>"$RUN/$1.cut"
    ) &
    CUTTER=$!
    within 10 "$1 is watched" grep -q armed "$RUN/$1.cut"
}

# claims_agree HOST: what the scheduler claims, what the agent holds and what the kernel has are the same VFs. Prints the difference.
claims_agree() {
    local vms vfs double
    api GET '/v1/vms?limit=1000'
    vms=$(jq -c --arg host "$1" '[.items[] | select(.host == $host) | .id as $vm | .ports[] | select(.claim) |
        {vf: .claim.vf_index, vm: $vm, mac}] | sort' <<<"$ANSWER")
    double=$(jq -c '[.[].vf] | group_by(.) | map(select(length > 1) | .[0])' <<<"$vms")
    [ "$double" = '[]' ] || { echo "VFs with two owners: $double"; return 1; }
    api GET "/v1/vfs?limit=1000&host=$1"
    vfs=$(jq -c '[.items[] | select(.vm_id) | {vf: .index, vm: .vm_id}] | sort' <<<"$ANSWER")
    [ "$vfs" = "$(jq -c 'map(del(.mac)) | sort' <<<"$vms")" ] || { echo "VMs say $vms, VFs say $vfs"; return 1; }
    # In the kernel each claimed VF has its port's MAC, and no other VF has a MAC that a test gave (52:54:00:…).
    local kernel
    kernel=$(kernel_vfs "$1" | jq -c '[to_entries[] | select(.value.mac | startswith("52:54:00")) | {vf: (.key | tonumber), mac: .value.mac}] | sort')
    [ "$kernel" = "$(jq -c 'map({vf, mac}) | sort' <<<"$vms")" ] || { echo "scheduler: $vms; kernel: $kernel"; return 1; }
}

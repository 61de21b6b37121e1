#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Virtual machines inside the lab's hosts, and the third point that measures silence. Sourced by case.sh, never run. See README.md.
# shellcheck source=tests/lab/lib.sh

# guest_xml NAME MODE ADDRESS [KERNEL-ARGUMENT...]: domain XML as a platform would give it to us: no network devices, free root ports
# for those that come. MODE: net_failover, bond, stubborn (see guest/init). ADDRESS: of the data network, 10.50.0.N.
guest_xml() {
    local name=$1 mode=$2 address=$3 port
    shift 3
    cat <<EOF
<domain type='qemu'>
  <name>$name</name>
  <memory unit='MiB'>96</memory>
  <vcpu>1</vcpu>
  <os>
    <type arch='x86_64' machine='q35'>hvm</type>
    <kernel>/lab/guest-vmlinux</kernel>
    <initrd>/lab/guest-initrd</initrd>
    <cmdline>console=ttyS0 quiet mitigations=off tsc=reliable guest=$mode ip=$address/24 $*</cmdline>
  </os>
  <features><acpi/></features>
  <on_poweroff>destroy</on_poweroff>
  <on_reboot>restart</on_reboot>
  <on_crash>destroy</on_crash>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    <controller type='usb' model='none'/>
$(for port in 1 2 3 4 5 6; do echo "    <controller type='pci' index='$port' model='pcie-root-port'/>"; done)
    <serial type='file'><source path='/var/log/guest-$name.log'/></serial>
    <memballoon model='none'/>
  </devices>
</domain>
EOF
}

# Network devices by hand, as the orchestrator would put them in. TEAMING: net_failover or bond.
guest_virtio_xml() { # MAC BRIDGE TEAMING
    echo "<interface type='bridge'><mac address='$1'/><source bridge='$2'/><model type='virtio'/>$([ "$3" != net_failover ] ||
        echo "<teaming type='persistent'/>")<alias name='ua-virtio'/></interface>"
}
guest_vf_xml() { # MAC PCI-ADDRESS TEAMING
    local part
    IFS=:. read -r -a part <<<"$2"
    echo "<interface type='hostdev' managed='yes'><mac address='$1'/><driver name='vfio'/><source>" \
        "<address type='pci' domain='0x${part[0]}' bus='0x${part[1]}'" \
        "slot='0x${part[2]}' function='0x${part[3]}'/></source>$([ "$3" != net_failover ] ||
            echo "<teaming type='transient' persistent='ua-virtio'/>")<alias name='ua-vf'/></interface>"
}
guest_with() { # DEVICE-XML...: puts devices into the domain XML on standard input
    sed "s|  </devices>|$(printf '%s' "$*" | sed 's/[|&\\]/\\&/g')\n  </devices>|"
}

# virsh_in HOST WORD...: with standard input.
virsh_in() {
    local host=$1
    shift
    host_ssh "$host" "$(printf '%q ' virsh -q "$@")"
}
# guest_define HOST, guest_create HOST: the domain XML on standard input; create starts it, without a definition that stays.
guest_define() { virsh_in "$1" define /proc/self/fd/0 >/dev/null; }
guest_create() { virsh_in "$1" create /proc/self/fd/0 >/dev/null; }
guest_destroy() { virsh_in "$1" destroy "$2" </dev/null >/dev/null 2>&1 || true; } # HOST NAME

# data_bridge HOST [UPLINK]: bridge br0 in the host, on the lab's data network by UPLINK (pf0); learns no addresses from it: see FACTS.md.
data_bridge() {
    host_ssh "$1" "set -e; [ -e /sys/class/net/br0 ] || ip link add br0 type bridge forward_delay 0 mcast_snooping 0 vlan_filtering ${3:-0}
        ip link set br0 up; ip link set ${2:-pf0} up; ip link set ${2:-pf0} master br0; bridge link set dev ${2:-pf0} learning off" </dev/null
}
data_bridge_down() { host_ssh "$1" 'ip link del br0 2>/dev/null || true' </dev/null; } # HOST

# The third point: the lab's own side of the data network (10.50.0.1).
probe() { in_netns "$RUN/probe" "$@"; }
# guest_ask ADDRESS [JQ-FILTER]: what the guest tells of itself: mode, mono_ms (its clock), path (the interface that sends), path_driver
# (virtio_net, igbvf), path_pci (its PCI address in the guest), interfaces[] (name, address, operstate, carrier, rx_packets, tx_packets, driver,
# pci, master).
guest_ask() { probe state "$1" | jq -r "${2:-.}"; }
guest_answers() { probe state "$1" >/dev/null 2>&1; } # ADDRESS
guest_path_is() { [ "$(guest_ask "$1" .path_driver 2>/dev/null)" = "$2" ]; } # ADDRESS DRIVER
# guest_boot_wait ADDRESS [SECONDS]: until it answers. Twice emulated it boots for 40 s, more on a busy machine.
guest_boot_wait() { within "${2:-300}" "guest $1 answers" guest_answers "$1"; }

# probe_start NAME ADDRESS [PERIOD-MS] [both]: measures from now on; probe_stop NAME: ends it, the report is in PROBE (JSON).
probe_start() {
    local name=$1
    shift
    rm -f "$RUN/$name.report"
    nsenter --net="/run/netns/$NETNS" -- "$RUN/probe" run "$1" "$RUN/$name.report" "${@:2}" 2>"$RUN/$name.probe.log" </dev/null 9>&- &
    echo $! >"$RUN/$name.probe.pid"
}
probe_stop() {
    local pid
    pid=$(<"$RUN/$1.probe.pid")
    kill -TERM "$pid" 2>/dev/null || true
    wait "$pid" || fail "probe $1: $(cat "$RUN/$1.probe.log")"
    rm -f "$RUN/$1.probe.pid"
    PROBE=$(<"$RUN/$1.report")
}
# probes_end: ends those that still run; for a case's EXIT trap.
probes_end() {
    local file
    for file in "$RUN"/*.probe.pid; do
        [ ! -e "$file" ] || kill -KILL "$(<"$file")" 2>/dev/null || true
        rm -f "$file"
    done
}
probe_says() { jq -r "$1" <<<"$PROBE"; } # JQ-FILTER

# vfio_irqs HOST PCI-ADDRESS: interrupts of a VF that is in a guest's hands, so far; 0 also when the guest's driver has not asked for any.
vfio_irqs() {
    host_ssh "$1" "awk -v a='($2)' '/vfio-msi/ && index(\$0, a) { n += \$2 } END { print n + 0 }' /proc/interrupts" </dev/null
}
# guest_has_device HOST NAME ALIAS, guest_lacks_device: does libvirt have the device in the running VM (until the guest let it go)?
guest_has_device() { virsh_in "$1" dumpxml "$2" </dev/null | grep -q "alias name='$3'"; }
guest_lacks_device() { ! guest_has_device "$@"; }

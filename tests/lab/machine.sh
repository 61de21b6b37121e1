#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The emulated machines: which hardware a kind of host has, and how its QEMU is started. Sourced by `up` and `reboot`.
# shellcheck disable=SC2034,SC2054 # variables for those who source this; the commas are QEMU's
# shellcheck source=tests/lab/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# Kinds: suite of the host's image, and its network cards (beside mgmt0) in words of nic_* below.
KINDS="igb netdevsim virtio deb12"
EXTRAS="pf1 nvme mmio multi ovs"
suite_of() { if [ "$1" = deb12 ]; then echo bookworm; else echo trixie; fi; } # KIND

tap() { # NAME BRIDGE
    in_netns ip link show "$1" >/dev/null 2>&1 || in_netns ip tuntap add "$1" mode tap
    in_netns ip link set "$1" master "$2" up
}
backend() { # NETDEV TAP: a network backend on a tap of the data bridge
    tap "$2" data
    DEVICES+=(-netdev "tap,id=$1,ifname=$2,script=no,downscript=no")
}
# Each card sits in a root port of its own. The ports' numbers are fixed, so buses are counted from 01 in their order.
root_port() { # NUMBER
    DEVICES+=(-device "pcie-root-port,id=rp$1,bus=pcie.0,addr=0x1$1,chassis=$((11 + $1)),slot=$((11 + $1))")
}

# Adds what the host has to DEVICES, and to NICS the names that its init waits for.
nic_pf0() { # ID: Intel 82576, 7 VFs
    root_port 0
    backend d0 "d$1"
    DEVICES+=(-device "$(igb_device "$1")")
    NICS+=(pf0)
}
nic_virtio() { # ID: virtio with 4 VFs. VFs first, the PF last, all functions of one slot; a tap per VF (a hub would duplicate).
    local vf
    root_port 0
    for vf in 1 2 3 4; do
        backend "v$vf" "d$1v$vf"
        DEVICES+=(-device "virtio-net-pci,id=vf$vf,bus=rp0,addr=0.$vf,netdev=v$vf,sriov-pf=pf0,mac=52:54:00:cc:0$1:0$vf,iommu_platform=on,ats=on,disable-legacy=on,romfile=")
    done
    backend d0 "d$1"
    DEVICES+=(-device "virtio-net-pci,id=pf0,bus=rp0,addr=0.0,multifunction=on,netdev=d0,mac=52:54:00:bb:00:0$1,iommu_platform=on,disable-legacy=on,romfile=")
    NICS+=(pf0)
}
add_pf1() { # ID: a second 82576
    root_port 1
    backend d1 "e$1"
    DEVICES+=(-device "igb,id=pf1,bus=rp1,netdev=d1,mac=52:54:00:bc:00:0$1")
    NICS+=(pf1)
}
add_nvme() { # ID: a controller with 4 VFs: each may be given 2 queues (of 8) and one interrupt (of 4); one shared namespace
    nvme_device "$1" sriov_max_vfs=4,sriov_vq_flexible=8,sriov_vi_flexible=4,max_ioqpairs=12
}
add_mmio() { # ID: a controller whose 127 VFs need more address space than the firmware gave its root port; with the kernel argument
    # pci=realloc=off it can't have any
    nvme_device "$1" sriov_max_vfs=127,sriov_vq_flexible=512,sriov_vi_flexible=512,max_ioqpairs=600,msix_qsize=1024
}
nvme_device() { # ID PROPERTIES
    root_port 2
    [ -e "$RUN/$NAME.nvme" ] || truncate -s 64M "$RUN/$NAME.nvme"
    DEVICES+=(-device "nvme-subsys,id=subsys0,nqn=lab-$1"
        -device "nvme,id=nvme0,bus=rp2,serial=lab$1,subsys=subsys0,$2"
        -drive "if=none,id=nvme,file=$RUN/$NAME.nvme,format=raw,cache=unsafe" -device nvme-ns,drive=nvme,bus=nvme0,nsid=1,shared=on)
}
add_multi() { # ID: one card with two functions, no VFs
    root_port 3
    backend p0 "p$1a"
    backend p1 "p$1b"
    DEVICES+=(-device "e1000e,id=phy0,bus=rp3,addr=0.0,multifunction=on,netdev=p0,mac=52:54:00:bd:00:0$1,romfile="
        -device "e1000e,id=phy1,bus=rp3,addr=0.1,netdev=p1,mac=52:54:00:be:00:0$1,romfile=")
    NICS+=(phy0 phy1)
}

add_ovs() { :; } # Open vSwitch runs: the host's init starts it, see host/lab-ovs

# boot HOST [KERNEL-ARGUMENTS]: starts the QEMU of a host of this run ($SRIOV_LAB_APPEND: further arguments for all of them). Its
# disk's writes go to RUN/HOST.qcow2, kept until `down`.
boot() {
    local image tools libs extra qemu
    host_line "$1"
    NAME=$1 DEVICES=() NICS=()
    image=$(awk -v s="$(suite_of "$KIND")" '$1 == s { print $2 }' "$RUN/images")
    tools=$image/tools/root
    libs=$tools/usr/lib/x86_64-linux-gnu
    # The tools root's programs on their own libraries.
    qemu=("$tools/usr/lib64/ld-linux-x86-64.so.2" --library-path "$libs:$libs/pulseaudio" "$tools/usr/bin")
    tap "m$ID" mgmt
    case $KIND in
        igb | deb12) nic_pf0 "$ID" ;;
        virtio) nic_virtio "$ID" ;;
    esac
    for extra in ${EXTRA//,/ }; do "add_$extra" "$ID"; done
    [ -e "$RUN/$1.qcow2" ] ||
        "${qemu[@]:0:3}" "${qemu[3]}/qemu-img" create -q -f qcow2 -b "$image/root.ext4" -F raw "$RUN/$1.qcow2"
    [ ! -e "$RUN/$1.console" ] || mv "$RUN/$1.console" "$RUN/$1.console.old"
    # no_timer_check: on a busy machine the kernel may see no timer interrupt in time, and would end with a panic.
    QEMU_MODULE_DIR=$libs/qemu in_netns "${qemu[@]:0:3}" \
        "${qemu[3]}/qemu-system-x86_64" -L "$tools/usr/share/qemu" -L "$tools/usr/share/seabios" \
        -name "$1" -machine q35 -accel tcg,thread=multi,tb-size=128 -cpu max -smp 1 -m "$MEMORY_MIB" \
        -nodefaults -no-user-config -display none -device intel-iommu,intremap=on,caching-mode=on \
        -kernel "$image/vmlinuz" -initrd "$image/initrd.cpio" \
        -append "console=ttyS0 quiet intel_iommu=on iommu=pt mitigations=off audit=0 no_timer_check lab.nics=$(IFS=, && echo "${NICS[*]}") \
lab.extras=$EXTRA, lab.host=$1 lab.kind=$KIND lab.id=$ID lab.machine=$(printf '%s' "$RUN $1" | md5sum | cut -c1-32) ${2:-${SRIOV_LAB_APPEND:-}}" \
        -drive "if=none,id=root,file=$RUN/$1.qcow2,format=qcow2,cache=unsafe" -device virtio-blk-pci,drive=root \
        -netdev "tap,id=m0,ifname=m$ID,script=no,downscript=no" -device "virtio-net-pci,netdev=m0,mac=52:54:00:aa:00:0$ID,romfile=" \
        -device virtio-rng-pci "${DEVICES[@]}" \
        -serial "file:$RUN/$1.console" -qmp "tcp:127.0.0.1:$((4000 + ID)),server=on,wait=off" \
        -pidfile "$RUN/$1.pid" -daemonize 9>&- ||
        die "QEMU of host $1 did not start, see above"
}

# wait_ready HOST...: until their init is through and they answer by ssh.
wait_ready() {
    local name deadline=$((SECONDS + 120))
    for name in "$@"; do
        until grep -aq 'LAB READY' "$RUN/$name.console" 2>/dev/null; do
            host_alive "$name" || die "QEMU of host $name ended; its console: $RUN/$name.console"
            ! grep -aq 'Kernel panic' "$RUN/$name.console" 2>/dev/null || die "host $name ended with a kernel panic; its console: $RUN/$name.console"
            [ "$SECONDS" -lt "$deadline" ] || die "host $name is not ready after 2 minutes; its console: $RUN/$name.console"
            sleep 0.2
        done
        # The first try may meet an address that was just found dead (after a reboot).
        until host_ssh "$name" true </dev/null 2>/dev/null; do
            [ "$SECONDS" -lt "$deadline" ] || die "host $name does not answer by ssh; its console: $RUN/$name.console"
            sleep 0.2
        done
        say "ready: $name ($(host_ssh "$name" 'uname -r' </dev/null))"
    done
}

/* SPDX-License-Identifier: Apache-2.0 */
/* A libvirtd of the test's own, with QEMU: in mount, network and PID namespaces,
 * so that it shares with the machine's nothing but the binaries, and that nothing
 * of it outlives the test. Its bridge is "br0". Needs root. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

struct own_libvirtd {
    pid_t init; /* of its PID namespace */
    int control, answers;
    char folder[64], uri[160];
};
/* Makes the namespaces and starts libvirtd. 0; 77: not allowed to make
 * namespaces; 1: it does not start, said on stderr. */
int own_libvirtd_begin(struct own_libvirtd *own);
void own_libvirtd_end(struct own_libvirtd *own);
/* Ask the init, also from a child of the process that began. */
void own_libvirtd_start(struct own_libvirtd *own);
void own_libvirtd_signal(struct own_libvirtd *own, int number);
/* The QEMU of this domain: kill -9. */
void own_libvirtd_kill_qemu(struct own_libvirtd *own, const char *name);

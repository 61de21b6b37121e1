/* SPDX-License-Identifier: Apache-2.0 */
/* What a host must have so that VFs can be given to VMs: one check a topic,
 * each with what was found and what an operator does about it. Reads only; a
 * copied tree gives the same answers as the host, but for libvirt and QEMU. */
#pragma once

#include "agent/host/libvirt.h"
#include "agent/host/modules.h"
#include "agent/host/scan.h"
#include "common/model/inventory.h"

struct readiness_input {
    const struct scan *scan;
    struct pf *const *pfs;
    size_t pf_count;
    const struct network *networks; /* as networks_read() tells them */
    size_t network_count;
    const char *kernel;                   /* release, as uname -r */
    struct modules *modules;              /* remembered between readings */
    const struct libvirt_status *libvirt; /* NULL: it was not asked */
};

/* Returns how many checks there are; their names and order never change. */
size_t readiness_read(const struct readiness_input *input,
                      struct readiness_check out[HOST_CHECKS_MAX]);

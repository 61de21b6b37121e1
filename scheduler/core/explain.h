/* SPDX-License-Identifier: Apache-2.0 */
/* Between the files that say why not. */
#pragma once

#include "scheduler/core/placement.h"

/* How far a PF came for a port: each step is nearer than the one before. */
enum distance {
    DISTANCE_NO_PF, /* none of the kind asked for */
    DISTANCE_MANAGEMENT,
    DISTANCE_NOT_ALLOWED,
    DISTANCE_NETWORK,
    DISTANCE_VENDOR,
    DISTANCE_DEVICE,
    DISTANCE_CAPABILITY,
    DISTANCE_POLICY,
    DISTANCE_NOT_READY, /* the host */
    DISTANCE_NO_VIRTIO_NETWORK,
    DISTANCE_NO_VLAN, /* on the network of the virtio leg */
    DISTANCE_MAC,
    DISTANCE_BANDWIDTH_UNKNOWN,
    DISTANCE_BANDWIDTH,
    DISTANCE_HAS_VFS,
    DISTANCE_USED,
    DISTANCE_NO_FREE_VF,
    DISTANCE_NO_NETDEV, /* of a free VF, for a macvtap */
    DISTANCE_CHANGING,
    DISTANCE_FITS,
    DISTANCE_MAX
};
/* The reason word of the API for this port: "no_free_vf". Static text. */
const char *distance_word(const struct port_want *port, enum distance distance);

/* The PF of a host that came closest; NULL = the host has none of the kind. */
struct nearest {
    enum distance distance;
    const struct pf_slot *pf;
};
struct nearest explain_nearest(const struct want *want, size_t port,
                               const struct slot *slot);
/* The same for people. */
void explain_distance(const struct want *want, size_t port,
                      const struct nearest *nearest, char *text, size_t size);
/* Bounded printf. */
void explain_say(char *text, size_t size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* SPDX-License-Identifier: Apache-2.0 */
/* Telling switches where a MAC is; the op's contract is in host_ops.h. */
#pragma once

#include "agent/host/linux.h"

int linux_announce(struct host_backend *backend, const char *netdev,
                   const struct mac *mac, uint16_t vlan, struct error *err);

/* The frame, padded to what Ethernet asks for (IEEE 802.3, 60 bytes without
 * checksum); 64 with a tag. Returns its length. Apart for tests. */
#define ANNOUNCE_FRAME_SIZE 64
size_t announce_frame(const struct mac *mac, uint16_t vlan,
                      unsigned char frame[ANNOUNCE_FRAME_SIZE]);

/* SPDX-License-Identifier: Apache-2.0 */
/* The host's software switches: Linux bridges, and Open vSwitch bridges where
 * the kernel shows them. */
#pragma once

#include "agent/host/scan.h"

/* Fill at most HOST_NETWORKS_MAX; returns how many. */
size_t networks_read(const struct scan *scan, struct network *out);

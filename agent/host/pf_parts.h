/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of reading a PF, for pf.c only. Each fills in its members of 'pf';
 * what can't be read keeps its preset and is noted. */
#pragma once

#include "agent/host/scan.h"
#include "common/model/inventory.h"

/* pf_netdev.c: mac, mtu, link, bond; pf->netdev is set. */
void pf_read_netdev(const struct scan *scan, struct pf *pf);
/* pf_use.c: used_by; netdev and driver are read already. */
void pf_read_use(const struct scan *scan, const char *folder, struct pf *pf);

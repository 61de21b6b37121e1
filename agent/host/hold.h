/* SPDX-License-Identifier: Apache-2.0 */
/* MACs held on a PF's own receive filter; the ops' contract is in host_ops.h. */
#pragma once

#include "agent/host/linux.h"

#include <linux/netlink.h>

int linux_mac_hold(struct host_backend *backend, const struct pf_key *pf,
                   const struct mac *mac, bool on, struct error *err);
int linux_mac_held(struct host_backend *backend, const struct pf_key *pf,
                   const struct mac *mac, bool *held, struct error *err);

/* Sets *found if the message is an entry of this MAC in the own filter of the
 * device. Apart for tests; the message's length must lie within its buffer. */
void hold_match(const struct nlmsghdr *message, int ifindex,
                const struct mac *mac, bool *found);

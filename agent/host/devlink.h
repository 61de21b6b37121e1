/* SPDX-License-Identifier: Apache-2.0 */
/* Facts of a PF that neither sysfs nor rtnetlink tells: the eswitch mode
 * (devlink over generic netlink) and the firmware version (ethtool). */
#pragma once

#include "agent/host/nl.h"
#include "common/model/inventory.h"

struct devlink;
/* NULL if there is no generic netlink. A kernel without devlink is fine. */
struct devlink *devlink_open(struct error *err);
void devlink_close(struct devlink *devlink);
/* ESWITCH_NONE where the device has none (EOPNOTSUPP, ENODEV). */
int devlink_eswitch_mode(struct devlink *devlink, const struct pf_key *pf,
                         enum eswitch_mode *out, struct error *err);

/* Take the mode of one answer; stays as it is if there is none. Apart for
 * tests. */
void devlink_parse_mode(const struct nlmsghdr *message, enum eswitch_mode *out);

/* ETHTOOL_GDRVINFO's fw_version; "" if the driver tells none. */
int ethtool_firmware(const char *netdev, char *out, size_t size,
                     struct error *err);

/* SPDX-License-Identifier: Apache-2.0 */
/* What rtnetlink tells of a network device: its VFs' policy and its kind.
 * Sources: linux/if_link.h (IFLA_VFINFO_LIST, IFLA_LINKINFO) and
 * rtnl_fill_vfinfo() in net/core/rtnetlink.c. */
#pragma once

#include "agent/host/nl.h"
#include "common/model/inventory.h"

#include <stdbool.h>
#include <stdint.h>

/* The VFs of one PF as the kernel tells them. */
struct link_vfs {
    uint32_t count; /* IFLA_NUM_VF */
    bool reported;  /* the driver tells policy at all (ndo_get_vf_config) */
    bool counted; /* a counter of a VF is not zero: the driver counts. Where it
                       does not (no ndo_get_vf_stats), the kernel fills in zeros */
    size_t size;  /* of the lists; policies that were not told have set = 0 */
    struct policy *policies; /* by VF index */
    uint64_t *sent;          /* frames of each VF, with 'statistics'; else 0 */
};
void link_vfs_done(struct link_vfs *vfs);
#define auto_link_vfs __attribute__((cleanup(link_vfs_done)))

/* Of PFs with more VFs the counters are not asked for. */
#define LINK_STATISTICS_VFS_MAX 64
/* One request for one device, so its answer is not cut as a dump's would be.
 * 'statistics': with the VFs' counters, which some drivers ask their firmware
 * for, one VF after the other, and with which the list ends after 218 VFs. */
int link_read_vfs(struct nl_port *port, const char *netdev, bool statistics,
                  struct link_vfs *out, struct error *err);

/* Take the VF list of one RTM_NEWLINK message. Apart for tests. */
void link_parse_vfs(const struct nlmsghdr *message, struct link_vfs *out);

/* Take the kind of one RTM_NEWLINK message; stays as it is if there is none.
 * Apart for tests. */
void link_parse_kind(const struct nlmsghdr *message, char *kind, size_t size);

/* IFLA_INFO_KIND of a device ("bridge", "openvswitch"), "" for plain ones. */
int link_read_kind(struct nl_port *port, const char *netdev, char *kind,
                   size_t size, struct error *err);

/* SPDX-License-Identifier: Apache-2.0 */
/* What a host tells of its domains and what it is told to do with them: between
 * agent/core, which decides, and agent/host, which asks libvirt. */
#pragma once

#include "common/base/mem.h"
#include "common/domain/domain.h"

/* A domain of libvirt as it is now, ours or not. */
struct domain_state {
    struct uuid uuid; /* libvirt's */
    char name[NAME_SIZE];
    uint8_t power_state; /* enum power_state; never ABSENT or UNKNOWN */
    char reason[32]; /* libvirt's: "destroyed", "crashed", "booted", "migrated"
                        (virDomainState…Reason, lower case) */
    bool persistent;
    uint32_t vcpus;
    uint64_t memory_mib; /* the maximum that it may have */
    /* Of the active domain, or of the definition while it is shut off. */
    struct domain_facts facts;
};
struct domain_list {
    struct ref ref;
    size_t count;
    struct domain_state *domains; /* owned, ordered by uuid */
};

/* Something that libvirt is to do with one domain. Each is idempotent: what is
 * so already counts as done. */
enum domain_order_kind {
    DOMAIN_DEFINE,   /* 'xml' becomes the persistent definition; no autostart */
    DOMAIN_START,    /* of a defined one */
    DOMAIN_SHUTDOWN, /* asks the guest by ACPI; done = asked */
    DOMAIN_DESTROY,  /* pulls the plug; done = it is off */
    DOMAIN_UNDEFINE, /* with NVRAM, managed save and snapshots' metadata */
    DOMAIN_PLUG,   /* 'xml' of a device into the running domain (live only: the
                        definition is made anew before each start) */
    DOMAIN_UNPLUG, /* the device with this alias, or, without one, whose 'xml'
                        is given; done = QEMU asked the guest. domains() tells
                        when the device is gone */
    DOMAIN_ORDER_MAX
};
struct domain_order {
    enum domain_order_kind kind;
    struct uuid domain; /* libvirt's uuid */
    const char *xml;    /* borrowed for the call; NULL where not said above */
    const char *alias;  /* UNPLUG, borrowed; NULL = by 'xml' */
};

struct vf_evidence {
    uint8_t kind;   /* enum evidence by which this was told */
    bool readable;  /* false: nothing can be told of this VF */
    bool in_use;    /* a guest's driver has opened it: interrupts came. Of
                       VF_STATISTICS never: there it is told by 'count' growing
                       between two readings */
    uint64_t count; /* interrupts, or frames that the VF sent, so far */
};

struct domain_list *domain_list_new(size_t count);
static inline void domain_list_put_p(struct domain_list **list)
{
    ref_put(*list);
}
#define auto_domain_list __attribute__((cleanup(domain_list_put_p)))
/* The domain with libvirt's uuid; NULL = none (borrowed). */
const struct domain_state *domain_list_find(const struct domain_list *list,
                                            const struct uuid *uuid);
/* Same in all that it tells. */
bool domain_list_same(const struct domain_list *a, const struct domain_list *b);

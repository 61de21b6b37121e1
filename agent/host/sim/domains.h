/* SPDX-License-Identifier: Apache-2.0 */
/* The simulated host's libvirt with its guests; private to agent/host/sim. What
 * a guest does takes time of the backend's clock: see the figures in domains.c. */
#pragma once

#include "agent/host/sim/sim.h"
#include "common/domain/list.h"

#define SIM_DOMAINS_MAX 256

struct sim_device {
    struct domain_device d;
    int64_t in_use_at; /* the guest's driver opens it then; INT64_MAX = never */
    int64_t gone_at;   /* the guest lets go of it then; 0 = nobody asked */
    uint16_t tap_vlan; /* what the bridge holds for the tap */
};

struct sim_domain {
    struct domain_state state;   /* without facts */
    struct domain_facts defined; /* of a persistent one */
    enum sim_guest guest;
    int64_t off_at; /* a shutdown ends then; 0 = none was asked for */
    size_t device_count;
    struct sim_device devices[DOMAIN_DEVICES_MAX]; /* of an active one */
};

/* What is due at 'now' happens. */
void sim_domains_settle(struct sim_host *host, int64_t now);
/* When something is due next; INT64_MAX = nothing. */
int64_t sim_domains_next(const struct sim_host *host);
struct domain_list *sim_domains_list(const struct sim_host *host);
/* As host_ops domain_order, without a wait. */
int sim_domains_order(struct sim_host *host, const struct domain_order *order,
                      int64_t now, struct error *err);
/* The active device that uses this address on the host, or the tap of this name;
 * NULL = none. */
struct sim_device *sim_domains_by_address(struct sim_host *host,
                                          const struct pci_address *address);
struct sim_device *sim_domains_by_tap(struct sim_host *host, const char *tap);
/* The host goes down: nothing runs, definitions stay. */
void sim_domains_reboot(struct sim_host *host);
void sim_domains_free(struct sim_host *host);

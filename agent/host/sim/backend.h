/* SPDX-License-Identifier: Apache-2.0 */
/* An agent's handle on a simulated host; private to agent/host/sim. */
#pragma once

#include "agent/host/sim/world.h"

/* An order to libvirt that was begun: its effect is there, its end not yet told. */
struct sim_order {
    struct uuid domain;
    enum domain_order_kind kind;
    int status;
    struct error err;
};
#define SIM_ORDERS_MAX 64

struct backend {
    struct host_backend base;
    struct sim_host *host;
    struct sim_hooks hooks;
    uint64_t told; /* events up to this one have been told */
    int event_fd;
    bool probed;
    struct sim_change changes[SIM_HOST_PFS_MAX]; /* one a PF */
    size_t order_count;
    struct sim_order orders[SIM_ORDERS_MAX];
};

static inline struct backend *backend_of(struct host_backend *host)
{
    return (struct backend *)(void *)host;
}
/* What the fault hook says, after the tries that the kernel's callers make. */
int sim_fault(struct backend *b, enum sim_step step, const struct pf_key *pf,
              uint16_t vf, uint32_t fields);
int64_t sim_now(const struct backend *b);

/* virtio.c: host_ops of bridges, taps, evidence and domains. */
int sim_learning_read(struct host_backend *host, const char *netdev,
                      bool *learns, struct error *err);
int sim_learning_set(struct host_backend *host, const char *netdev, bool learns,
                     struct error *err);
int sim_tap_vlan(struct host_backend *host, const char *bridge, const char *tap,
                 uint16_t vlan, struct error *err);
int sim_tap_read(struct host_backend *host, const struct uuid *domain,
                 const char *tap, struct policy *policy, struct error *err);
int sim_announce(struct host_backend *host, const char *netdev,
                 const struct mac *mac, uint16_t vlan, struct error *err);
int sim_vf_evidence(struct host_backend *host, const struct pf_key *pf,
                    uint16_t vf_index, struct vf_evidence *evidence,
                    struct error *err);
struct domain_list *sim_domains(struct host_backend *host, struct error *err);
int sim_domain_order(struct host_backend *host,
                     const struct domain_order *order, struct error *err);

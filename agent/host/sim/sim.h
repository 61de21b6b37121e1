/* SPDX-License-Identifier: Apache-2.0 */
/* The simulated host: a kernel with SR-IOV hardware, in memory, behind the same
 * operations as the real one (agent/host/host_ops.h). The fleet and the
 * simulation run the agent's code unchanged on it.
 *
 * Two objects: 'struct sim_host' is the world (devices, VFs, policies, link);
 * it survives the agent. A backend is one agent's handle on it and may be
 * closed and opened again, as an agent that crashed and came back does.
 *
 * How devices react is data: agent/host/sim/models, one file a NIC, each figure
 * with its source in a kernel driver or data sheet; they are built into the
 * program, nothing is looked up at run time.
 *
 * Threads: one thread for a host and its backends. The models are shared and
 * never change; sim_model_* may be called on any thread.
 */
#pragma once

#include "agent/host/host_ops.h"
#include "common/base/error.h"
#include "common/base/rng.h"
#include "common/model/inventory.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- models ---------------------------------------------------------------- */

struct sim_model;
/* "intel-82576", ...; NULL = unknown. */
const struct sim_model *sim_model_find(const char *name);
/* By number from 0, ordered by name; NULL at the end. */
const struct sim_model *sim_model_at(size_t number);
const char *sim_model_name(const struct sim_model *model);
/* By its PCI class; all but one model are NICs. */
enum device_kind sim_model_kind(const struct sim_model *model);

/* ---- the world of one host --------------------------------------------------- */

struct sim_host;

#define SIM_HOST_PFS_MAX 16
struct sim_host_config {
    uint64_t seed;       /* of machine id, MACs and what the hardware chooses */
    uint32_t vcpus;      /* 0 = 1,024 */
    uint64_t memory_mib; /* 0 = 4 TiB */
    size_t networks;     /* Linux bridges br-phys0, br-phys1, ...; at most 8 */
    bool bridges_on_pfs; /* the uplink of bridge N is PF N, where there is one;
                            else a device without SR-IOV */
    uint16_t vfs_limit;  /* VFs that a PF's firmware allows at most; 0 = the
                            model's number */
    size_t pf_count;
    const char *pfs[SIM_HOST_PFS_MAX]; /* model of each PF */
};
/* A booted host with all PFs present, links up, VFs made and at their drivers'
 * defaults. NULL: NOT_FOUND (an unknown model), INVALID (too many PFs). */
struct sim_host *sim_host_new(const struct sim_host_config *config,
                              struct error *err);
void sim_host_free(
    struct sim_host *host); /* NULL is fine; close backends first */

struct uuid sim_host_machine_id(const struct sim_host *host);
struct uuid sim_host_boot_id(const struct sim_host *host);
size_t sim_host_pf_count(const struct sim_host *host); /* also absent ones */
const struct pf_key *sim_host_pf_key(const struct sim_host *host, size_t pf);
const struct sim_model *sim_host_pf_model(const struct sim_host *host,
                                          size_t pf);
bool sim_host_pf_present(const struct sim_host *host, size_t pf);
uint16_t sim_host_vf_count(const struct sim_host *host, size_t pf);
/* The number of the PF with this key; SIZE_MAX = none. */
size_t sim_host_pf_find(const struct sim_host *host, const struct pf_key *key);

/* ---- what happens to hardware (each tells the backends' event queues) ------ */

/* A new boot: new boot id, every VF made anew at its driver's defaults. */
void sim_host_reboot(struct sim_host *host);
/* Surprise removal and return of a card's PF with its VFs; what returns is
 * fresh. Setting what already is does nothing. */
void sim_host_pf_set_present(struct sim_host *host, size_t pf, bool present);
void sim_host_pf_set_link(struct sim_host *host, size_t pf, bool up);
/* Link speed in Mbit/s; some drivers forget their rate limits (igb, ixgbe). */
void sim_host_pf_set_speed(struct sim_host *host, size_t pf, int32_t mbps);
void sim_host_pf_set_management(struct sim_host *host, size_t pf,
                                const char *reason); /* NULL = not */
/* Somebody writes sriov_numvfs by hand (0 first where needed). */
void sim_host_pf_set_vfs(struct sim_host *host, size_t pf, uint16_t count);
/* The VF's PCI device is removed from the bus, or found by a rescan. The PF's
 * driver keeps the VF's policy meanwhile. */
void sim_host_vf_set_present(struct sim_host *host, size_t pf, uint16_t vf,
                             bool present);
/* Somebody else uses the VF ('why' is shown), or lets go of it (NULL). Packets
 * flow, and drivers that count per VF have counted them. */
void sim_host_vf_set_external(struct sim_host *host, size_t pf, uint16_t vf,
                              const char *why);
/* Somebody else writes a VF's policy by hand ('ip link set'): as vf_write, but
 * without faults. Returns 0 or the errno. */
int sim_host_vf_set_policy(struct sim_host *host, size_t pf, uint16_t vf,
                           const struct policy *policy, uint32_t fields);
/* The socket's buffer ran over: the next 'changes' says everything. */
void sim_host_lose_events(struct sim_host *host);

/* ---- guests and libvirt ----------------------------------------------------- */

enum sim_guest {
    SIM_GUEST_GOOD,      /* uses its VFs, lets go of them when asked */
    SIM_GUEST_NO_DRIVER, /* has no driver for its VFs */
    SIM_GUEST_KEEPS,     /* never lets go of a device, nor shuts down */
};
/* Of domains that are defined from now on. */
void sim_host_set_guests(struct sim_host *host, enum sim_guest guest);
void sim_host_domain_set_guest(struct sim_host *host, const struct uuid *domain,
                               enum sim_guest guest);
/* QEMU is killed. */
void sim_host_domain_kill(struct sim_host *host, const struct uuid *domain);
/* Somebody else asks libvirt: as host_ops domain_order, done at once. */
int sim_host_domain_order(struct sim_host *host,
                          const struct domain_order *order, int64_t now,
                          struct error *err);
/* libvirtd is there; away, its domains go on. */
void sim_host_set_libvirt(struct sim_host *host, bool up);
size_t sim_host_active_domains(const struct sim_host *host);
/* GOOD: also where there is no such domain. */
enum sim_guest sim_host_domain_guest(const struct sim_host *host,
                                     const struct uuid *domain);
/* ABSENT = no such domain. */
enum power_state sim_host_domain_power(const struct sim_host *host,
                                       const struct uuid *domain);

/* ---- what is true in the kernel, for checkers -------------------------------- */

uint16_t sim_host_pf_total_vfs(const struct sim_host *host, size_t pf);
uint8_t sim_host_pf_autoprobe(const struct sim_host *host, size_t pf);
uint8_t sim_host_pf_bridge_mode(const struct sim_host *host, size_t pf);
/* As vf_read gives it. False if PF or VF is not there. */
bool sim_host_vf_policy(const struct sim_host *host, size_t pf, uint16_t vf,
                        struct policy *policy);
/* Reads clean: policy_clean() in every field that the driver reports, the MAC
 * zero or the VF driver's own random one; not used by anybody. */
bool sim_host_vf_clean(const struct sim_host *host, size_t pf, uint16_t vf);
/* The MAC was chosen by the VF's driver, not set through the PF. */
bool sim_host_vf_own_mac(const struct sim_host *host, size_t pf, uint16_t vf);
bool sim_host_vf_external(const struct sim_host *host, size_t pf, uint16_t vf);
/* A domain has it, not who sim_host_vf_set_external() spoke of. */
bool sim_host_vf_plugged(struct sim_host *host, size_t pf, uint16_t vf);
/* The PF that is the uplink of bridge 'network'; SIZE_MAX = none is. */
size_t sim_host_uplink_pf(const struct sim_host *host, size_t network);
/* As its driver made it: nobody has written its policy since. */
bool sim_host_vf_fresh(const struct sim_host *host, size_t pf, uint16_t vf);
/* The policy of the PF's VFs as their driver makes them, with MAC zero. */
struct policy sim_host_vf_made(const struct sim_host *host, size_t pf);
/* How many MACs are held on the PF's own filter, and whether this one is. */
size_t sim_host_held_count(const struct sim_host *host, size_t pf);
bool sim_host_holds(const struct sim_host *host, size_t pf,
                    const struct mac *mac);
/* A number that changes whenever what the functions above tell of a VF may
 * change. */
uint64_t sim_host_vf_version(const struct sim_host *host, size_t pf,
                             uint16_t vf);

/* ---- a backend ------------------------------------------------------------------ */

/* Where a fault can strike. */
#define SIM_STEPS(X)                                                           \
    X(INVENTORY, "inventory")                                                  \
    X(READ_PF, "read_pf")                                                      \
    X(VF_READ, "vf_read")                                                      \
    X(VF_WRITE, "vf_write")                                                    \
    X(VF_WRITTEN, "vf_written")                                                \
    X(VF_RESET, "vf_reset")                                                    \
    X(MAC_HOLD, "mac_hold")                                                    \
    X(MAC_HELD, "mac_held")                                                    \
    X(PF_SET, "pf_set")                                                        \
    X(PF_WRITTEN, "pf_written")                                                \
    X(DOMAIN, "domain")                                                        \
    X(TAP, "tap")                                                              \
    X(CHANGES, "changes")
enum sim_step {
#define X(name, text) SIM_STEP_##name,
    SIM_STEPS(X)
#undef X
        SIM_STEP_MAX
};
const char *sim_step_name(enum sim_step step);

struct sim_hooks {
    void *context;
    /* Asked before each step (VF_WRITE: before each group of fields; VF_WRITTEN:
     * after each group took effect): 0 = go on, or the errno that the kernel
     * gives. EBUSY and EAGAIN are asked again up to SIM_TRIES times. VF_WRITE
     * may also answer SIM_SWALLOWED: the kernel says yes and nothing happens, as
     * when the device is being reset just then. NULL = nothing ever fails by
     * itself. */
    /* PF_SET: before each part of a change of a PF, PF_WRITTEN after it took
     * effect; 'vf' is the VF count and 'fields' one of SIM_PF_*. */
    int (*fault)(void *context, enum sim_step step, const struct pf_key *pf,
                 uint16_t vf, uint32_t fields);
    /* The clock of observed_at, ns. NULL = the system's. */
    int64_t (*now)(void *context);
};
#define SIM_TRIES 10
#define SIM_PF_AUTOPROBE 1u
#define SIM_PF_NUM_VFS 2u
#define SIM_PF_BRIDGE_MODE 4u
#define SIM_SWALLOWED (-1)

struct host_sim_config {
    struct sim_host *host; /* borrowed, must outlive the backend */
    struct sim_hooks hooks;
    bool with_event_fd; /* else event_fd() is -1; changes() works in any case */
    bool probed; /* tell the model's whole capability record; else only what
                    reading proves, as on a real host: an agent probes */
};
/* A handle on the host; what changed before is not told, read the inventory
 * first. NULL on failure (no descriptor). */
struct host_backend *host_sim_open(const struct host_sim_config *config,
                                   struct error *err);

/* Is there something for changes() to tell? What poll() says of the event
 * descriptor, for those who have none. */
bool host_sim_has_changes(const struct host_backend *backend);
/* When there will be, by itself: a guest lets go of a device; on the clock of
 * 'now'. INT64_MAX = nothing is due. */
int64_t host_sim_wakes_at(const struct host_backend *backend);

/* ---- the mix of a fleet ------------------------------------------------------------ */

struct sim_profile_item {
    char model[NAME_SIZE]; /* "" or "none": a host without SR-IOV */
    uint32_t weight;       /* 1 to 1000 */
    uint32_t pfs;          /* of that model, 1 to 16; 0 with model none */
    char with[NAME_SIZE];  /* a model of which the hosts have one PF more, such
                              as an NVMe; "" = no more */
};
#define SIM_PROFILE_MAX 64
struct sim_profile {
    size_t count;
    struct sim_profile_item items[SIM_PROFILE_MAX];
};
/* A JSON list of {"model": NAME, "weight": N, "pfs": N, "with": NAME}; unknown
 * members and models are refused with their place. */
int sim_profile_read(const char *path, struct sim_profile *profile,
                     struct error *err);
/* Every NIC model with two PFs (virtio: one) and a host without SR-IOV, equally. */
void sim_profile_default(struct sim_profile *profile);
/* The hardware of host number 'number' of a fleet with this seed: each run of
 * sum-of-weights hosts has the exact mix, in an order chosen by the seed. Sets
 * seed, pf_count and pfs of *config; the rest stays. */
void sim_profile_host(const struct sim_profile *profile, uint64_t seed,
                      size_t number, struct sim_host_config *config);

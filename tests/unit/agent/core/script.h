/* SPDX-License-Identifier: Apache-2.0 */
/* A small scripted host for tests of agent/core: a kernel (VFs' policies, filters
 * of PFs, bridge ports), a libvirt with guests that take their time, a disk and a
 * clock. Whatever the core asks for is checked against the rules that hold at any
 * instant: see obey() in script.c. The core can be killed between any two actions
 * (before or after an action took effect) and is made anew from the disk. */
#pragma once

#include "agent/core/reconcile.h"

#define NOW INT64_C(1790000000000000000)
#define SECOND INT64_C(1000000000)
#define MS INT64_C(1000000)
#define PFS 2
#define VFS 4
#define GUESTS 2
#define MACS 8
#define NEVER INT64_MAX

/* A domain and its guest. VM number n (from 1) has port n, with MAC
 * 52:54:00:00:01:0n, and wants VF n - 1 of PF 0. */
struct guest {
    bool defined, active, external;
    bool leg, vf; /* its devices, in the definition while it is off */
    uint16_t vf_pf, vf_index;
    const char *reason;  /* libvirt's */
    int64_t plugged_at;  /* when the VF came */
    int64_t asked_at;    /* when it was asked for the VF; 0 = not */
    int64_t stopping_at; /* when it was asked to shut down; 0 = not */
    uint16_t tap_vlan;   /* of the tap, which is new with each start */
    bool tap_set;
    unsigned starts, shutdowns, destroys, plugs, unplugs;
    /* How the guest behaves, ns after it was asked; NEVER = does not. */
    int64_t drives_after, lets_go_after, shuts_down_after;
};

struct script {
    struct reconcile *core;
    int64_t now;
    struct agent_state disk;
    uint64_t boot;
    struct policy kernel[PFS][VFS];
    struct mac filter[PFS][MACS]; /* zero = free */
    bool learns[PFS];
    struct guest guests[GUESTS + 1]; /* by number, 0 is unused */
    bool libvirt_away;
    const char *refuses; /* libvirt's words for the next orders of kind: */
    enum domain_order_kind refused;
    unsigned filter_busy; /* so many writes of it fail */
    bool filter_refuses;  /* the driver takes no MAC */
    bool unseen; /* no reading tells which VFs are used: libvirt alone does */
    const char *uplink;            /* of br0 */
    struct domain_order under_way; /* domain and kind; 'order_runs' */
    bool order_runs;

    /* The document. */
    uint64_t revision;
    struct desired_port ports[GUESTS + 1];
    struct desired_vm vms[GUESTS + 1];

    unsigned actions;  /* so far */
    unsigned crash_at; /* at this action; 0 = never */
    bool crash_before; /* before it takes effect, else after */
    unsigned crashes;
    unsigned announced[PFS];
    bool told; /* domains changed and were not yet given */
};

void script_open(struct script *s);
void script_close(struct script *s);
/* The core dies and is made anew from the disk, and gets reading, domains and the
 * document again. */
void script_crash(struct script *s);
/* Port 'number' of VM 'number' with this path; managed VMs are to be on. In the
 * document from the next script_send() on. */
struct desired_port *script_port(struct script *s, unsigned number,
                                 enum port_path path);
void script_vm(struct script *s, unsigned number, enum vm_lifecycle lifecycle);
/* The domain of an external VM starts, as its platform would: with the leg, and
 * with the VF or without. */
void script_start(struct script *s, unsigned number, bool vf);
void script_kill(struct script *s, unsigned number); /* its QEMU */
void script_send(struct script *s); /* the whole document, a new revision */
/* Do what the core wants and let time pass, for 'ns'; then everything holds that
 * must hold when nothing is under way. Fails if the core is busy without end. */
void script_run(struct script *s, int64_t ns);
/* Give domains and reading as they are. */
void script_tell(struct script *s);

struct observed_port script_told(const struct script *s, unsigned number);
struct observed_vm script_told_vm(const struct script *s, unsigned number);
bool script_held(const struct script *s, unsigned pf, unsigned number);
struct mac script_mac(unsigned number);
struct uuid script_vm_id(unsigned number);

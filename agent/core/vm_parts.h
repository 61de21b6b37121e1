/* SPDX-License-Identifier: Apache-2.0 */
/* VMs, ways of ports and holds: what internal.h's objects have of them, shared by
 * the files vm_*.c, way_*.c, hold.c and hook.c of this folder. */
#pragma once

#include "agent/core/reconcile.h"

struct want;

#define RUNNING_TYPE "Running"
#define PATH_TYPE "PathReady"

/* An order to libvirt that is under way. One for a domain at a time. */
struct vm_order {
    bool active;
    uint8_t kind;       /* enum domain_order_kind */
    struct uuid domain; /* libvirt's */
    struct uuid port;   /* PLUG, UNPLUG: whose device; else zero */
    char *xml, *alias;  /* owned; NULL */
    int64_t next_at;    /* asked for its end not before */
};

/* A VM of the document, or one that something durable is held for. Ordered by
 * id. */
struct vm_slot {
    struct uuid id;
    bool wanted;         /* the document has it: 'd' */
    struct desired_vm d; /* with a reference on its text */
    int64_t since;       /* when the document brought it */
    bool has_record;
    struct vm_record record;
    uint64_t intent; /* state version that makes the record durable */
    /* Of r->domains, NULL = it has none; see vm_tie.c. */
    const struct domain_state *domain;
    unsigned rank;   /* of the tie to it */
    bool was_active; /* as last known */
    struct vm_order order;
    bool defined; /* in this try to start it */
    bool asked;   /* to shut down */
    int64_t asked_at;
    int64_t started_at; /* START ended well; 0 = not in this life */
    int64_t next_at;    /* nothing before this */
    unsigned tries;
    struct condition condition; /* Running */
};

/* The way of a wanted port: see way.h. */
struct way {
    uint8_t phase; /* enum way_phase */

    /* Facts, as of the last plan that knew the domains. */
    bool active;        /* its VM's domain is */
    bool plugged, leg;  /* the devices are in it */
    bool right;         /* plugged: it is the VF that is claimed */
    char alias[64];     /* plugged: of the device */
    struct uuid domain; /* libvirt's */
    char tap[NETDEV_NAME_SIZE], bridge[NETDEV_NAME_SIZE]; /* of the leg */
    char uplink[NETDEV_NAME_SIZE]; /* of that bridge; "" = none */
    bool tap_vlan;                 /* the agent sets the tap's VLAN */
    bool has_hold_pf; /* 'hold_pf' is where its MAC is to be held */
    struct pf_key hold_pf;
    bool differs; /* the VF's PF is another one than the uplink */

    /* Evidence. */
    bool looked, in_use, readable; /* looked: at this device */
    uint8_t evidence;
    int64_t in_use_at, poll_at;

    /* Orders. */
    bool ordered;       /* it was done; domains() will tell */
    int64_t plug_until; /* an order to plug may have its effect until then */
    bool begun;         /* unplugging: the deadline runs */
    int64_t deadline;   /* of the phase */
    int64_t next_at;    /* no order before */
    unsigned failures;
    char failure[160];     /* libvirt's last refusal; "" */
    struct revision asked; /* kept: at which revision it was asked for */

    /* Announcements. */
    int64_t announce_at, announce_until; /* 0 = none */
    bool announce_vf;                    /* from the VF's PF, else the uplink */

    /* The virtio leg's policy. */
    uint8_t tap_step; /* enum tap_step */
    int64_t tap_at;
    unsigned tap_tries;
    struct revision tap_revision;
    char tap_name[NETDEV_NAME_SIZE]; /* that the steps are about */
    bool tap_read;                   /* 'virtio' is what the tap has */
    struct policy virtio;
    struct condition tap_condition;

    struct condition condition; /* PathReady */
    uint64_t said;              /* of what it was said: see way_say() */
};

/* May a PF's own filter hold a MAC that is on a VF? Found out once for each
 * plan. */
enum way_dual { WAY_DUAL_UNASKED, WAY_DUAL_NO, WAY_DUAL_YES };

/* A hold, durable part and how far it is in this life. Ordered by port. */
enum hold_state {
    HOLD_UNKNOWN, /* to be looked for */
    HOLD_OFF,
    HOLD_PUT, /* written, not yet seen */
    HOLD_ON,
    HOLD_REFUSED, /* the driver takes none: it goes without */
};
struct hold_slot {
    struct hold h;
    uint64_t intent; /* state version that makes it durable */
    bool wanted;
    bool planned; /* in this life: before that it is left as it is */
    bool let_go;  /* was written off, to be seen */
    uint8_t state;
    unsigned failures;
    int64_t next_at;
};

/* The bridge port of a PF whose learning is to be off. */
struct uplink_slot {
    char netdev[NETDEV_NAME_SIZE];
    bool wanted, learns; /* learns: to be set off */
    int64_t next_at;
};

/* A condition of any type; no field. */
void other_condition(struct condition *condition, const char *type, int64_t now,
                     enum condition_status status, const char *reason,
                     const char *format, ...)
    __attribute__((format(printf, 6, 7)));

/* ---- vm_set.c: the set ------------------------------------------------------------ */
struct vm_slot *vm_at(const struct reconcile *r, const struct uuid *id);
void vms_load(struct reconcile *r, const struct agent_state *state);
void vms_store(const struct reconcile *r, struct agent_state *state);
void vms_take(struct reconcile *r, const struct desired *doc);
/* Forget those that nothing is wanted or held of. */
void vms_sweep(struct reconcile *r);
void vms_done(struct reconcile *r);
/* The record's durable part moves; nothing is ordered before it is durable. */
void vm_move(struct reconcile *r, struct vm_slot *vm, enum vm_run run);
void vm_drop_record(struct reconcile *r, struct vm_slot *vm);
void vm_condition(struct reconcile *r, struct vm_slot *vm, int64_t now,
                  enum condition_status status, const char *reason,
                  const char *format, ...)
    __attribute__((format(printf, 6, 7)));

/* ---- vm_tie.c: which domain is whose ------------------------------------------------ */
/* The VM that a domain with these facts belongs to: by libvirt's uuid (that of
 * the VM; managed ones are tied by nothing else), our metadata, the aliases of
 * its devices, or the VFs that it has. NULL: it is none of ours. */
struct vm_slot *vm_of(const struct reconcile *r,
                      const struct domain_facts *facts);
/* The domain of the VM as libvirt last told it; NULL: it has none, or nothing is
 * known. Borrowed until the next reconcile_domains(). */
const struct domain_state *domain_of_vm(const struct reconcile *r,
                                        const struct uuid *vm);
/* Its domain is known to be active. */
bool vm_is_active(const struct vm_slot *vm);
/* Tie anew after documents, entries or domains changed. */
void ties_make(struct reconcile *r);
/* Is libvirt asked, and has it told what there is? */
bool domains_known(const struct reconcile *r);
/* The device of the domain that is the claimed VF, or PF as a whole, or a
 * macvtap on it; NULL = none. */
const struct domain_device *claim_device(const struct reconcile *r,
                                         const struct domain_state *domain,
                                         const struct uuid *port,
                                         const struct claim *claim);

/* ---- vm_life.c, vm_order.c, vm_define.c ---------------------------------------------- */
void vms_plan(struct reconcile *r, int64_t now);
/* Wanted absent, and nothing of its domain is there any more. */
bool vm_is_gone(const struct reconcile *r, const struct vm_slot *vm);
/* An end of an order that no port gave. */
void vm_ordered(struct reconcile *r, struct vm_slot *vm, int64_t now,
                enum domain_order_kind kind,
                const struct action_result *result);
/* Begins; takes the texts. False: another one is under way. */
bool order_begin(struct reconcile *r, struct vm_slot *vm,
                 enum domain_order_kind kind, const struct uuid *port,
                 char *xml, char *alias);
bool order_next(struct reconcile *r, int64_t now, struct action *action,
                int64_t *wake);
void order_done(struct reconcile *r, int64_t now, const struct action *action,
                const struct action_result *result);
/* Ends of orders may be there. */
void orders_ask(struct reconcile *r);
/* May it start: all its ports proven, networks there? Else says why not. */
bool vm_ports_ready(const struct reconcile *r, const struct vm_slot *vm,
                    char *why, size_t size);
/* The whole definition; NULL = can't be made. */
char *vm_define(const struct reconcile *r, const struct vm_slot *vm,
                struct error *err);
/* The VF's device of a port, to be plugged in; NULL = there is none. */
char *port_vf_xml(const struct desired_port *d);

/* ---- way.c, way_facts.c, way_say.c, way_poll.c, way_tap.c, way_learning.c ---------- */
void ways_look(struct reconcile *r); /* facts */
void ways_plan(struct reconcile *r, int64_t now);
/* way_facts.c: what the domains tell of the port. Does nothing while they are not
 * known. */
void way_look(struct reconcile *r, struct want *want);
/* Its domain is to end with all that it has, or has other devices than a guest
 * could fail over between: the agent plugs and unplugs nothing. */
bool way_is_plain(const struct reconcile *r, const struct want *want);
/* way_say.c: the condition that follows from all that is known. */
void way_say(struct reconcile *r, struct want *want, int64_t now);
/* Begin to announce the port's MAC, if there is anything to announce. */
void way_announce(struct want *want, int64_t now, bool from_vf);
bool way_next(struct reconcile *r, int64_t now, struct action *action,
              int64_t *wake);
void way_done(struct reconcile *r, int64_t now, const struct action *action,
              const struct action_result *result);
/* An order of the port has ended. */
void way_ordered(struct reconcile *r, struct want *want, int64_t now,
                 enum domain_order_kind kind,
                 const struct action_result *result);
void way_condition(struct reconcile *r, struct want *want, int64_t now,
                   enum condition_status status, const char *reason,
                   const char *format, ...)
    __attribute__((format(printf, 6, 7)));
/* Does the port want its VF in the guest? */
bool want_has_vf(const struct want *want);
/* 'way' as it is told. */
void way_tell(const struct reconcile *r, const struct want *want,
              struct observed_way *out);
/* What the leg's policy must read, and whether it does; true where there is
 * nothing to read. */
bool way_tap_proven(const struct want *want);
void way_tap_plan(struct reconcile *r, struct want *want, int64_t now);
bool way_tap_next(struct reconcile *r, struct want *want, int64_t now,
                  struct action *action, int64_t *wake);
void way_tap_done(struct reconcile *r, struct want *want, int64_t now,
                  const struct action *action,
                  const struct action_result *result);
/* Read all taps, holds and uplinks again. */
void ways_recheck(struct reconcile *r);
void learning_plan(struct reconcile *r);
bool learning_next(struct reconcile *r, int64_t now, struct action *action,
                   int64_t *wake);
void learning_done(struct reconcile *r, int64_t now,
                   const struct action *action,
                   const struct action_result *result);

/* ---- hold.c -------------------------------------------------------------------------- */
void holds_load(struct reconcile *r, const struct agent_state *state);
void holds_store(const struct reconcile *r, struct agent_state *state);
void holds_plan(struct reconcile *r, int64_t now);
bool hold_next(struct reconcile *r, int64_t now, struct action *action,
               int64_t *wake);
void hold_done(struct reconcile *r, int64_t now, const struct action *action,
               const struct action_result *result);
/* Is the port's MAC seen on the filter? */
bool hold_is_on(const struct reconcile *r, const struct uuid *port);
/* Is it to be held and not yet so? What would make the guest silent waits. */
bool hold_is_awaited(const struct reconcile *r, const struct uuid *port);
/* Anything of it may be on a filter. */
bool hold_is_there(const struct reconcile *r, const struct uuid *port);
/* A MAC that a probe may have left on the PF's filter, of whose VF nothing is
 * known any more: looked for, and let go. Durable with the next state. */
void hold_take_over(struct reconcile *r, const struct pf_key *pf,
                    const struct mac *mac);
/* The PF was read otherwise than before: its filter may be another one. */
void holds_doubt(struct reconcile *r, const struct pf_key *pf);
bool holds_settled(const struct reconcile *r);

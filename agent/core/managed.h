/* SPDX-License-Identifier: Apache-2.0 */
/* What the agent holds: the managed set, one entry for each VF that it has
 * touched or is about to touch, and the rest of its durable state.
 *
 * The rule that everything else stands on: no VF is touched before its entry is
 * durable, and an entry goes only after its VF read back clean and the removal
 * is durable. So a crash at any instant leaves no dirty VF that is not in the
 * state.
 */
#pragma once

#include "agent/core/pf_setting.h"
#include "agent/core/vm_life.h"
#include "agent/core/way.h"
#include "common/base/uuid.h"
#include "common/model/policy.h"
#include "common/model/vm.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The life of an entry. '*' = reached only by a durable write before the VF is
 * touched on behalf of the new phase.
 *
 *           wanted                    free VF, capabilities unknown
 *   (none) ────────► applying*        (none) ────────► probing*
 *     ▲               │ ▲   │                            │
 *     │   read equal  │ │   │ refused, reads otherwise   │ all fields tried
 *     │               ▼ │   ▼                            ▼
 *     │          applied│ restoring ──reads clean──► failed
 *     │               │ │ drift, new  │  ▲             │ │ new revision, PF
 *     │               │ │ revision    │  │             │ │ changed, back-off
 *     │               │ └─────────────┼──┼─────────────┘ │ ─► applying*
 *     │ reads clean   │ wanted absent │  │ not clean     │ wanted absent
 *     │ (durable)     ▼               │  │ after 3 tries ▼
 *     └────────── cleaning* ◄─────────┘  └► quarantined ◄── cleaning
 *                     ▲                          │ back-off, PF changed
 *                     └──────────────────────────┘
 */
#define MANAGED_PHASES(X)                                                      \
    X(APPLYING, "applying")       /* intent durable, not yet read back */      \
    X(APPLIED, "applied")         /* the kernel read back equal */             \
    X(RESTORING, "restoring")     /* refused: being put back to clean */       \
    X(FAILED, "failed")           /* refused; the VF read clean afterwards */  \
    X(CLEANING, "cleaning")       /* released: being made and proven clean */  \
    X(QUARANTINED, "quarantined") /* does not read clean after 3 tries */      \
    X(PROBING, "probing")         /* a capability probe writes to it */
enum managed_phase {
#define X(name, text) MANAGED_##name,
    MANAGED_PHASES(X)
#undef X
        MANAGED_PHASE_MAX
};
const char *managed_phase_name(enum managed_phase phase);
/* MANAGED_PHASE_MAX for an unknown name. */
enum managed_phase managed_phase_parse(const char *name);
/* Is the move in the diagram above? */
bool managed_move_allowed(enum managed_phase from, enum managed_phase to);

struct managed {
    struct uuid port, vm;   /* zero: held for no port (a probe, or a port that
                             was given up while its VF was gone) */
    struct claim claim;     /* the VF */
    struct policy policy;   /* as asked, MAC among it; probe: what it writes */
    struct policy baseline; /* as the kernel read before we touched the VF */
    bool device;            /* a VF without network: no policy */
    char driver[32]; /* bound before we took it; "" = none, or it has a policy:
                        then what is read back says all */
    struct revision revision; /* of the desired port that this follows */
    uint8_t phase;            /* enum managed_phase */
    bool unknown;             /* a full document lacked the port: left alone */
    struct condition condition; /* the last word on it */
};

/* What a probe found, for all PFs with the same key (driver, firmware, device,
 * eswitch mode, kernel), in one state of the link: there may be several results
 * under one key. In one that was found with the link down, 'conditional' with
 * the need link_up means "refused, and the link was down": only together with
 * one found with the link up it says something. */
#define PROBED_KEY_SIZE 192
struct probed {
    char key[PROBED_KEY_SIZE];
    bool link_up;
    uint32_t speed_mbps; /* of the link; 0 = down, or not told */
    bool complete;       /* everything was tried and came to a verdict */
    struct capabilities capabilities;
    int64_t at;
};
/* Kept; the oldest goes. Enough for every PF of a host with its link up and
 * down. */
#define PROBED_MAX 128

/* Everything durable. The arrays are owned. */
struct agent_state {
    struct uuid cluster_id; /* whose documents are followed; zero = none yet */
    struct uuid adopt;      /* also accept this cluster's, once; zero = none */
    struct revision accepted; /* highest document revision accepted */
    /* The boot of the host in which a document was last accepted; zero = never.
     * libvirt's hook lets nothing of ours start before one was. */
    struct uuid heard_boot;
    uint64_t incarnation; /* rises at each start of the agent */
    size_t managed_count, probed_count, change_count, vm_count, hold_count;
    struct managed *managed;
    struct probed *probed;
    struct pf_change *changes; /* of PFs, ordered by key; one each */
    struct vm_record *vms;     /* ordered by id */
    struct hold *holds;        /* ordered by port */
};
/* Frees the arrays, zeroes the rest. */
void agent_state_done(struct agent_state *state);
/* A deep copy: how a simulated disk keeps it. */
void agent_state_copy(struct agent_state *to, const struct agent_state *from);

/* SPDX-License-Identifier: Apache-2.0 */
/* A change of a PF's VF count, driver autoprobe or bridge mode, as the agent
 * holds it: a confirmed commit. The rule that everything stands on: what the PF
 * was before is durable before anything is written, and a change that cuts the
 * host off from its scheduler undoes itself. So a crash at any instant leaves
 * either the old PF, or an entry that says how to get back to it.
 *
 *  - It begins only if the scheduler answered within PF_HEARD_NS, and never on
 *    the PF that carries the host's own traffic, or while a VF of it is held.
 *  - It is applied only when the scheduler answered a request that was sent after
 *    the write had ended, over whatever the host's network is then.
 *  - Without that answer PF_CONFIRM_NS after it began it is undone and rejected:
 *    that revision is not tried again.
 */
#pragma once

#include "common/base/timestamp.h"
#include "common/base/uuid.h"
#include "common/model/pf_target.h"

/* DESIGN.md section 5, host safety. */
#define PF_HEARD_NS (10 * TIMESTAMP_SECOND)
#define PF_CONFIRM_NS (30 * TIMESTAMP_SECOND)

/* The life of a change; phases are those that are told (common/model/document.h
 * PF_PHASES). '*' = durable before anything is written or told on behalf of it.
 *
 *            differs from what is wanted,
 *            the scheduler answered just now
 *   (none) ─────────────────────────────────► applying*
 *     ▲ ▲      the rules forbid it since,      │  │  │
 *     │ └────── nothing was written ───────────┘  │  │ read back equal
 *     │                                refused by │  ▼
 *     │ nothing is                     the kernel │ confirming ──► applied*
 *     │ wanted any                             or │  │ no answer,    │
 *     │ more                            30 s over │  │ or reads      │ reads otherwise,
 *     │                                           ▼  ▼ otherwise     │ another target
 *     │                                        reverting             ▼
 *     │                                         │     │          applying*
 *     │                        refused; as it   │     │ silence; as it
 *     │                        was before again │     │ was before again
 *     │                                         ▼     ▼
 *     └─────────────────────────────────── failed*   rejected*
 *                                               │     │
 *               back-off, the PF changed, or    ▼     ▼  only another
 *               another revision           applying* applying*  revision
 *
 * What reads as wanted without any write (by hand, or a revision that asks for the
 * same) goes from applied, failed and rejected to applied.
 * A host that booted since: applying, confirming and reverting end where undoing
 * would end, because the PF is as it boots.
 */
bool pf_move_allowed(enum pf_phase from, enum pf_phase to);

struct pf_change {
    struct pf_key key;
    struct pf_target target; /* what is asked */
    struct pf_target before; /* what it read before it was touched */
    struct revision revision;
    struct uuid boot_id; /* the boot in which it began */
    int64_t begun_at;
    int64_t deadline;           /* confirmed until then, or undone */
    uint64_t signature;         /* failed: pf_change_signature() then */
    uint8_t phase;              /* enum pf_phase; never PENDING */
    bool refused;               /* reverting: ends as failed, not as rejected */
    bool may_pass;              /* failed: the same may work later */
    struct condition condition; /* PfConfigured: the last word on it */
};
/* Under way: the PF and its VFs are nobody else's to touch. */
bool pf_change_runs(const struct pf_change *change);
/* Facts on which it depends whether a PF takes a setting. Not its link and not
 * its VFs: a change moves those. */
uint64_t pf_change_signature(const struct pf *pf);

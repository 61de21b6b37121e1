/* SPDX-License-Identifier: Apache-2.0 */
/* Bridge ports of PFs don't learn: a card returns a guest's own broadcast to its
 * PF, and a bridge that learns the guest's MAC there no longer gives it what comes
 * in by the PF. Set for the uplinks of networks that a port of ours uses; it stays
 * when none does any more (standing, as an operator would set it). */
#include "agent/core/internal.h"
#include "common/base/str.h"

#include <string.h>

#define LEARNING_RETRY_NS (10 * TIMESTAMP_SECOND)

static struct uplink_slot *uplink_of(struct reconcile *r, const char *netdev)
{
    for (size_t i = 0; i < r->uplink_count; i++) {
        if (strcmp(r->uplinks[i].netdev, netdev) == 0)
            return &r->uplinks[i];
    }
    return NULL;
}

static void want_uplink(struct reconcile *r, const char *netdev)
{
    struct uplink_slot *uplink = uplink_of(r, netdev);
    if (!uplink) {
        mem_grow(&r->uplinks, &r->uplink_capacity, r->uplink_count,
                 sizeof *r->uplinks);
        uplink = &r->uplinks[r->uplink_count++];
        memset(uplink, 0, sizeof *uplink);
        str_copy(uplink->netdev, netdev);
    }
    uplink->wanted = true;
}

static bool is_used(const struct reconcile *r, const struct network *network)
{
    for (size_t i = 0; i < r->want_count; i++) {
        const struct desired_port *d = &r->wants[i].d;
        if (!d->absent && strcmp(d->network, network->device) == 0)
            return true;
    }
    return false;
}

static bool is_our_pf(const struct reconcile *r, const char *netdev)
{
    for (size_t i = 0; *netdev && i < r->pf_count; i++) {
        const struct pf *pf = r->pfs[i].pf;
        if (strcmp(pf->netdev, netdev) == 0)
            return pf->num_vfs > 0 && !pf->management;
    }
    return false;
}

void learning_plan(struct reconcile *r)
{
    for (size_t i = 0; i < r->uplink_count; i++)
        r->uplinks[i].wanted = false;
    for (size_t i = 0; r->facts && i < r->facts->network_count; i++) {
        const struct network *network = &r->facts->networks[i];
        if (network->kind == SWITCH_LINUX_BRIDGE &&
            is_our_pf(r, network->uplink) && is_used(r, network))
            want_uplink(r, network->uplink);
    }
    size_t kept = 0;
    for (size_t i = 0; i < r->uplink_count; i++) {
        if (r->uplinks[i].wanted)
            r->uplinks[kept++] = r->uplinks[i];
    }
    r->uplink_count = kept;
}

bool learning_next(struct reconcile *r, int64_t now, struct action *action,
                   int64_t *wake)
{
    for (size_t i = 0; i < r->uplink_count; i++) {
        const struct uplink_slot *uplink = &r->uplinks[i];
        if (now < uplink->next_at) {
            if (uplink->next_at < *wake)
                *wake = uplink->next_at;
            continue;
        }
        *action = (struct action){.kind = uplink->learns ? ACTION_LEARNING_OFF
                                                         : ACTION_LEARNING};
        str_copy(action->netdev, uplink->netdev);
        return true;
    }
    return false;
}

void learning_done(struct reconcile *r, int64_t now,
                   const struct action *action,
                   const struct action_result *result)
{
    struct uplink_slot *uplink = uplink_of(r, action->netdev);
    if (!uplink)
        return;
    if (result->failed) {
        uplink->learns = false; /* look again */
        uplink->next_at = now + LEARNING_RETRY_NS;
    } else if (action->kind == ACTION_LEARNING && result->learns) {
        uplink->learns = true;
        uplink->next_at = now;
    } else { /* the setting reads back */
        uplink->learns = false;
        uplink->next_at = now - now % WAY_AUDIT_NS + 2 * WAY_AUDIT_NS;
    }
}

/* SPDX-License-Identifier: Apache-2.0 */
/* What is done again and again for a way: looking whether the guest uses the VF,
 * and announcing where the MAC is. The next action of all ways. */
#include "agent/core/internal.h"
#include "common/base/str.h"

#include <string.h>

/* All at the same times, so that few wakes do. */
static int64_t aligned(int64_t now, int64_t period)
{
    return now - now % period + period;
}

/* ---- evidence ------------------------------------------------------------------------ */

static bool is_polled(const struct want *want)
{
    const struct way *way = &want->way;
    if (!want->d.has_claim || !way->right)
        return false;
    return way->phase == WAY_UNPROVEN || way->phase == WAY_LATE ||
           way->phase == WAY_VF ||
           (way->phase == WAY_UNPLUGGING && way->differs);
}

static void next_poll(struct way *way, int64_t now)
{
    bool soon = way->phase == WAY_UNPROVEN || way->phase == WAY_UNPLUGGING;
    way->poll_at = soon ? now + WAY_POLL_NS : aligned(now, WAY_LOOK_NS);
}

static void evidence_done(struct reconcile *r, struct want *want, int64_t now,
                          const struct action_result *result)
{
    struct way *way = &want->way;
    const struct vf_evidence *is = &result->evidence;
    bool readable = !result->failed && is->readable;
    bool in_use = readable && is->in_use;
    bool news =
        !way->looked || way->in_use != in_use || way->readable != readable;
    next_poll(way, now);
    if (!news)
        return;
    if (in_use && !way->in_use) {
        way->in_use_at = now;
        if (way->phase != WAY_UNPLUGGING)
            way_announce(want, now, true);
    }
    if (!in_use && way->in_use && way->phase == WAY_UNPLUGGING)
        way_announce(want, now, false);
    way->looked = true;
    way->readable = readable;
    way->in_use = in_use;
    way->evidence = in_use ? is->kind : (uint8_t)EVIDENCE_NONE;
    if (!in_use)
        way->in_use_at = 0;
    r->replan = true;
    r->changes++;
}

/* ---- announcements ------------------------------------------------------------------- */

/* Where VF and bridge have the same uplink nothing has moved for the fabric. */
void way_announce(struct want *want, int64_t now, bool from_vf)
{
    struct way *way = &want->way;
    if (!way->differs || !way->leg)
        return;
    way->announce_vf = from_vf;
    way->announce_at = now;
    way->announce_until =
        now + (from_vf ? WAY_ANNOUNCE_VF_NS : WAY_ANNOUNCE_VIRTIO_NS);
}

static bool announce_next(const struct reconcile *r, struct want *want,
                          int64_t now, struct action *action, int64_t *wake)
{
    struct way *way = &want->way;
    const struct pf_slot *slot =
        want->d.has_claim ? slot_of(r, &want->d.claim.pf) : NULL;
    if (way->announce_until == 0)
        return false;
    const char *netdev = way->uplink;
    if (way->announce_vf)
        netdev = slot ? slot->pf->netdev : "";
    if (now > way->announce_until || !*netdev) {
        way->announce_until = 0;
        return false;
    }
    if (now < way->announce_at) {
        if (way->announce_at < *wake)
            *wake = way->announce_at;
        return false;
    }
    way->announce_at = now + WAY_ANNOUNCE_NS;
    *action = (struct action){.kind = ACTION_ANNOUNCE, .port = want->d.id};
    str_copy(action->netdev, netdev);
    action->policy = want->d.policy;
    return true;
}

/* ---- the next action ------------------------------------------------------------------ */

static bool poll_next(struct want *want, int64_t now, struct action *action,
                      int64_t *wake)
{
    struct way *way = &want->way;
    if (!is_polled(want))
        return false;
    if (now < way->poll_at) {
        if (way->poll_at < *wake)
            *wake = way->poll_at;
        return false;
    }
    *action = (struct action){.kind = ACTION_EVIDENCE,
                              .pf = want->d.claim.pf,
                              .vf_index = want->d.claim.vf_index,
                              .port = want->d.id};
    return true;
}

static bool want_next(struct reconcile *r, struct want *want, int64_t now,
                      struct action *action, int64_t *wake)
{
    return announce_next(r, want, now, action, wake) ||
           poll_next(want, now, action, wake) ||
           way_tap_next(r, want, now, action, wake);
}

bool way_next(struct reconcile *r, int64_t now, struct action *action,
              int64_t *wake)
{
    if (hold_next(r, now, action, wake) || order_next(r, now, action, wake))
        return true;
    for (size_t n = 0; n < r->want_count; n++) {
        size_t i = (r->way_cursor + n) % r->want_count;
        if (want_next(r, &r->wants[i], now, action, wake)) {
            r->way_cursor = i;
            return true;
        }
    }
    return learning_next(r, now, action, wake);
}

void way_done(struct reconcile *r, int64_t now, const struct action *action,
              const struct action_result *result)
{
    struct want *want = want_of(r, &action->port);
    switch (action->kind) {
    case ACTION_HOLD:
    case ACTION_LET_GO:
    case ACTION_HELD:
        hold_done(r, now, action, result);
        break;
    case ACTION_ORDER:
        order_done(r, now, action, result);
        break;
    case ACTION_EVIDENCE:
        if (want)
            evidence_done(r, want, now, result);
        break;
    case ACTION_TAP_VLAN:
    case ACTION_TAP_READ:
        if (want)
            way_tap_done(r, want, now, action, result);
        break;
    case ACTION_LEARNING:
    case ACTION_LEARNING_OFF:
        learning_done(r, now, action, result);
        break;
    case ACTION_ANNOUNCE: /* one of many: the next one comes */
    case ACTION_SAVE:
    case ACTION_READ:
    case ACTION_WRITE:
    case ACTION_RESET:
    case ACTION_PF_SET:
        break;
    }
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Claims without network policy: a PF as a whole (vnic_type direct-physical) and
 * VFs of other devices (NVMe, GPU ...). Nothing of them is written by netlink:
 * applied means there and ours, clean means used by nobody, reset where there is
 * a reset of its own, and with the driver that it had. So most steps need no
 * action, only the last reading of the PF. */
#include "agent/core/internal.h"
#include "common/base/str.h"

#include <stdio.h>
#include <string.h>

bool claim_is_whole(const struct claim *claim)
{
    return claim->vf_index == CLAIM_WHOLE_PF;
}

bool entry_is_bare(const struct entry *entry)
{
    return entry->m.device || claim_is_whole(&entry->m.claim);
}

bool claim_is_there(const struct reconcile *r, const struct claim *claim)
{
    if (claim_is_whole(claim))
        return slot_of(r, &claim->pf) != NULL;
    return vf_of(r, &claim->pf, claim->vf_index) != NULL;
}

const char *claim_driver(const struct reconcile *r, const struct claim *claim)
{
    const struct pf_slot *slot = slot_of(r, &claim->pf);
    const struct vf *vf = vf_of(r, &claim->pf, claim->vf_index);
    if (claim_is_whole(claim))
        return slot ? slot->pf->driver : "";
    return vf ? vf->driver : "";
}

bool bare_allows(const struct policy *policy, const char **field)
{
    uint32_t asked = policy->set & ~POLICY_BIT(POLICY_MAC);
    if (asked)
        *field = policy_field_name((enum policy_field)__builtin_ctz(asked));
    return asked == 0;
}

static void applied(struct reconcile *r, struct entry *entry, int64_t now)
{
    bool whole = claim_is_whole(&entry->m.claim);
    entry_move(r, entry, MANAGED_APPLIED);
    entry_condition(r, entry, now, CONDITION_TRUE, "Present", "",
                    whole ? "the PF is there as a whole and nobody else uses it"
                          : "the VF is there and nobody else uses it");
}

/* The driver that it had is bound again. Used by nobody: the rules let nobody
 * come here else. */
static void prove(struct reconcile *r, struct entry *entry, int64_t now)
{
    const char *driver = claim_driver(r, &entry->m.claim);
    char text[120];
    if (!*entry->m.driver || strcmp(driver, entry->m.driver) == 0) {
        clean_finish(r, entry, now);
        return;
    }
    snprintf(text, sizeof text, "its driver was '%s' and is %s%s%s",
             entry->m.driver, *driver ? "'" : "", *driver ? driver : "none",
             *driver ? "'" : "");
    clean_fails(r, entry, now, "", text);
}

bool bare_acts(struct reconcile *r, struct entry *entry, int64_t now)
{
    if (entry->m.phase == MANAGED_APPLYING) {
        applied(r, entry, now);
        return false;
    }
    if (entry->m.phase != MANAGED_CLEANING)
        return false;
    bool resets = !claim_is_whole(&entry->m.claim) && !entry->was_reset;
    if (resets) {
        entry->step = STEP_RESET;
        return true;
    }
    const struct pf_slot *slot = slot_of(r, &entry->m.claim.pf);
    if (slot && slot->readings >= entry->reading)
        prove(r, entry, now);
    return false;
}

void bare_was_reset(const struct reconcile *r, struct entry *entry)
{
    const struct pf_slot *slot = slot_of(r, &entry->m.claim.pf);
    entry->reading = slot ? slot->readings + 1 : 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* What a PF is brought to: see pf_target.h. */
#include "common/model/pf_target.h"

#include <stdio.h>

struct pf_target pf_target_of(const struct desired_pf *desired)
{
    return (struct pf_target){.has_num_vfs = desired->has_num_vfs,
                              .num_vfs = desired->num_vfs,
                              .autoprobe = desired->autoprobe,
                              .bridge_mode = desired->bridge_mode};
}

bool pf_target_is_empty(const struct pf_target *target)
{
    return !target->has_num_vfs && target->autoprobe == AUTOPROBE_NONE &&
           target->bridge_mode == BRIDGE_NONE;
}

bool pf_target_equal(const struct pf_target *a, const struct pf_target *b)
{
    return a->has_num_vfs == b->has_num_vfs &&
           (!a->has_num_vfs || a->num_vfs == b->num_vfs) &&
           a->autoprobe == b->autoprobe && a->bridge_mode == b->bridge_mode;
}

const char *pf_target_difference(const struct pf_target *target,
                                 const struct pf *pf)
{
    if (target->autoprobe != AUTOPROBE_NONE &&
        target->autoprobe != pf->autoprobe)
        return PF_TARGET_AUTOPROBE;
    if (target->has_num_vfs && target->num_vfs != pf->num_vfs)
        return PF_TARGET_NUM_VFS;
    if (target->bridge_mode != BRIDGE_NONE &&
        target->bridge_mode != pf->bridge_mode)
        return PF_TARGET_BRIDGE_MODE;
    return "";
}

bool pf_target_met(const struct pf_target *target, const struct pf *pf)
{
    return *pf_target_difference(target, pf) == '\0';
}

struct pf_target pf_target_before(const struct pf_target *target,
                                  const struct pf *pf)
{
    struct pf_target before = {.has_num_vfs = target->has_num_vfs};
    if (target->has_num_vfs)
        before.num_vfs = pf->num_vfs;
    if (target->autoprobe != AUTOPROBE_NONE)
        before.autoprobe = pf->autoprobe;
    if (target->bridge_mode != BRIDGE_NONE)
        before.bridge_mode = pf->bridge_mode;
    return before;
}

const char *pf_target_text(const struct pf_target *target,
                           char text[PF_TARGET_TEXT_SIZE])
{
    const char *autoprobe = autoprobe_name((enum autoprobe)target->autoprobe);
    const char *mode = bridge_mode_name((enum bridge_mode)target->bridge_mode);
    char count[24] = "";
    if (pf_target_is_empty(target)) {
        snprintf(text, PF_TARGET_TEXT_SIZE, "nothing");
        return text;
    }
    if (target->has_num_vfs)
        snprintf(count, sizeof count, PF_TARGET_NUM_VFS " %u", target->num_vfs);
    snprintf(text, PF_TARGET_TEXT_SIZE, "%s%s%s%s%s%s", count,
             autoprobe && *count ? ", " : "",
             autoprobe ? PF_TARGET_AUTOPROBE " " : "",
             autoprobe ? autoprobe : "",
             mode ? (autoprobe || *count ? ", " PF_TARGET_BRIDGE_MODE " "
                                         : PF_TARGET_BRIDGE_MODE " ")
                  : "",
             mode ? mode : "");
    return text;
}

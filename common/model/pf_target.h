/* SPDX-License-Identifier: Apache-2.0 */
/* What a PF is brought to, or what it was before: VF count, whether the kernel
 * binds drivers to new VFs, and the mode of the embedded switch. A member that
 * is not set is left as it is.
 */
#pragma once

#include "common/model/document.h"

struct pf_target {
    bool has_num_vfs;
    uint16_t num_vfs;
    uint8_t autoprobe;   /* enum autoprobe; NONE = not set */
    uint8_t bridge_mode; /* enum bridge_mode; NONE = not set */
};

/* The names of the members, as on the wire and in errors. */
#define PF_TARGET_NUM_VFS "num_vfs"
#define PF_TARGET_AUTOPROBE "vf_drivers_autoprobe"
#define PF_TARGET_BRIDGE_MODE "bridge_mode"

struct pf_target pf_target_of(const struct desired_pf *desired);
bool pf_target_is_empty(const struct pf_target *target);
bool pf_target_equal(const struct pf_target *a, const struct pf_target *b);
/* Does the PF, as it was read, have all that is set? */
bool pf_target_met(const struct pf_target *target, const struct pf *pf);
/* The members of 'target' as the PF reads now, to be put back; one that the PF
 * does not tell is not set. */
struct pf_target pf_target_before(const struct pf_target *target,
                                  const struct pf *pf);
/* "num_vfs 4, vf_drivers_autoprobe off, bridge_mode vepa"; "nothing". */
#define PF_TARGET_TEXT_SIZE 80
const char *pf_target_text(const struct pf_target *target,
                           char text[PF_TARGET_TEXT_SIZE]);
/* The first member that is set and reads otherwise, or "". */
const char *pf_target_difference(const struct pf_target *target,
                                 const struct pf *pf);

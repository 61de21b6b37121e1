/* SPDX-License-Identifier: Apache-2.0 */
/* Reading VF policy by netlink for a whole PF: see pf_policy.h.
 *
 * What reading can prove of capabilities is only what does not work: a driver
 * that reports no VF policy can't be proven to hold any, and a switch reported
 * as "-1" is not there. Everything else stays unknown here: a value that reads
 * back as zero says nothing of what could be set. */
#include "agent/host/pf_policy.h"

#include "agent/host/link.h"
#include "common/base/str.h"
#include "common/base/timestamp.h"

#include <stdio.h>

static void set_unsupported(struct pf *pf, enum policy_field field,
                            const char *note)
{
    pf->capabilities.field[field] =
        (struct capability){.support = CAPABILITY_UNSUPPORTED,
                            .source = CAPABILITY_SOURCE_PROBED,
                            .note = str_intern(note)};
}

static void judge(struct pf *pf, const struct link_vfs *told)
{
    if (!told->reported) {
        for (int field = 0; field < POLICY_FIELD_MAX; field++)
            set_unsupported(pf, (enum policy_field)field,
                            "the driver reports no VF policy");
        return;
    }
    const struct policy *first = NULL;
    for (size_t i = 0; i < told->size && !first; i++)
        if (told->policies[i].set)
            first = &told->policies[i];
    for (int field = 0; first && field < POLICY_FIELD_MAX; field++)
        if (!policy_has(first, (enum policy_field)field))
            set_unsupported(pf, (enum policy_field)field,
                            "the driver does not report it");
}

void pf_policy_read(const struct scan *scan, struct pf *pf)
{
    char what[64];
    snprintf(what, sizeof what, "VF policy of %s", pf->key.text);
    if (!scan->route) {
        notes_say(scan->notes, what, SCAN_NEEDS_KERNEL);
        return;
    }
    if (!pf->netdev[0]) {
        notes_say(scan->notes, what, "the PF has no network device here");
        return;
    }
    auto_link_vfs struct link_vfs told = {0};
    struct error err = {0};
    if (link_read_vfs(scan->route, pf->netdev, &told, &err) < 0) {
        notes_error(scan->notes, what, &err);
        return;
    }
    int64_t now = timestamp_now();
    size_t missing = 0;
    for (size_t i = 0; i < pf->vf_count; i++) {
        struct vf *vf = &pf->vfs[i];
        if (vf->index < told.size)
            vf->policy = told.policies[vf->index];
        vf->observed_at = now;
        missing += vf->policy.set == 0;
    }
    /* VFs that came in between, or a list that the kernel cut. */
    if (told.reported && missing)
        notes_say(scan->notes, what, "the kernel does not tell of %zu VFs",
                  missing);
    if (told.count)
        judge(pf, &told);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The engine's side of the hook: what it asks about is read afresh before the
 * core answers, so that a guest starts on what was proven for it. */
#include "agent/internal.h"

static bool pf_has(const struct pf *pf, const struct domain_device *device)
{
    if (pf->has_address && pci_compare(&pf->address, &device->address) == 0)
        return true;
    for (size_t i = 0; i < pf->vf_count; i++) {
        const struct vf *vf = &pf->vfs[i];
        if (vf->has_address && pci_compare(&vf->address, &device->address) == 0)
            return true;
    }
    return false;
}

/* The PFs of the domain's host devices. */
static void find_pfs(const struct agent *agent,
                     const struct domain_facts *facts,
                     struct host_changes *found)
{
    for (size_t p = 0; p < reconcile_pf_count(agent->core); p++) {
        const struct pf *pf = reconcile_pf_at(agent->core, p);
        bool has = false;
        for (size_t i = 0; i < facts->device_count && !has; i++)
            has =
                facts->devices[i].has_address && pf_has(pf, &facts->devices[i]);
        if (has && found->pf_count < HOST_CHANGES_MAX)
            found->pfs[found->pf_count++] = pf->key;
    }
}

/* Is one of these yet to be read? */
static bool is_unread(const struct agent *agent, const struct host_changes *pfs)
{
    for (size_t i = 0; i < pfs->pf_count; i++) {
        for (size_t d = 0; d < agent->dirty_count; d++) {
            if (pf_key_compare(&agent->dirty[d], &pfs->pfs[i]) == 0)
                return true;
        }
    }
    return agent->read_all && (pfs->pf_count || !reconcile_facts(agent->core));
}

enum hook_verdict agent_hook(struct agent *agent, int64_t now_ns,
                             const struct hook_request *request, bool first,
                             char reason[HOOK_REASON_SIZE])
{
    struct host_changes pfs = {0};
    enum hook_operation operation = request->operation;
    if (operation == HOOK_PREPARE || operation == HOOK_RELEASE)
        find_pfs(agent, request->facts, &pfs);
    if (first && (pfs.pf_count || operation == HOOK_RELEASE)) {
        pfs.domains = operation == HOOK_RELEASE;
        agent_host_changed(agent, &pfs);
        /* A guest waits: not a little for others. */
        if (!agent->read_failing)
            agent->read_at = now_ns;
    }
    enum hook_verdict verdict =
        reconcile_hook(agent->core, now_ns, request, reason);
    bool waits = operation == HOOK_PREPARE && verdict == HOOK_ALLOW &&
                 is_unread(agent, &pfs);
    if (!waits)
        return verdict;
    str_copy_bounded(reason, HOOK_REASON_SIZE,
                     "the agent has not read the domain's devices yet; see "
                     "'journalctl -u sriov-agent'");
    return HOOK_WAIT;
}

bool agent_guarded(const struct agent *agent, struct guarded *out)
{
    return reconcile_guarded(agent->core, out);
}

uint64_t agent_changes(const struct agent *agent)
{
    return reconcile_changes(agent->core);
}

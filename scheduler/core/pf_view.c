/* SPDX-License-Identifier: Apache-2.0 */
/* What a host's view tells of one PF: how far its settings are, and what is
 * promised on it. For readers on any thread, and for the core. */
#include "scheduler/core/internal.h"

const struct observed_pf *host_view_pf(const struct host_view *host,
                                       const struct pf_key *pf)
{
    const struct host_report *report = host->report;
    for (size_t i = 0; report && i < report->pf_count; i++)
        if (pf_key_compare(&report->pfs[i].key, pf) == 0)
            return &report->pfs[i];
    return NULL;
}

bool host_view_pf_changing(const struct host_view *host, const struct pf *pf)
{
    const struct pf_setting *setting = host_pf_setting(host->host, &pf->key);
    const struct observed_pf *seen = host_view_pf(host, &pf->key);
    if (!setting)
        return false;
    enum pf_phase phase = seen ? (enum pf_phase)seen->phase : PF_PHASE_MAX;
    /* Of whatever revision: it is in the middle of it. */
    if (phase == PF_APPLYING || phase == PF_CONFIRMING || phase == PF_REVERTING)
        return true;
    if (seen && revision_compare(&seen->revision, &setting->revision) == 0)
        return phase == PF_PENDING;
    return setting->has_num_vfs && setting->num_vfs != pf->num_vfs;
}

struct pf_promise host_view_promise(const struct host_view *host,
                                    const struct pf *pf)
{
    struct pf_promise promise = {
        .pf = pf->key,
        .promisable_mbps =
            pf_promisable_mbps(pf, host_pf_setting(host->host, &pf->key)),
    };
    for (size_t i = view_first_claim(host, &pf->key);
         i < host->claim_count &&
         pf_key_compare(&host->claims[i].pf, &pf->key) == 0;
         i++) {
        promise.promised_mbps += host->claims[i].min_tx_rate_mbps;
        promise.ports += host->claims[i].min_tx_rate_mbps > 0;
    }
    promise.over = promise.promisable_mbps &&
                   promise.promised_mbps > promise.promisable_mbps;
    return promise;
}

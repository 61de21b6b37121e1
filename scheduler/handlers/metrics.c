/* SPDX-License-Identifier: Apache-2.0 */
/* GET /metrics. What is counted as it happens lives in the registry; what the
 * snapshot knows (a line per host and PF) is written from it at the scrape.
 * docs/metrics.md lists all names; tests/lint/metrics.sh compares. */
#include "scheduler/handlers/api.h"

#include "common/base/metrics.h"
#include "common/base/str.h"
#include "common/base/timestamp.h"

#include <pthread.h>
#include <string.h>

static struct metric *placement_seconds;
static struct metrics_family *placement_failures, *policy_failures;

void count_init(void)
{
    placement_seconds = metrics_series(
        metrics_histogram("sriov_placement_duration_seconds", "",
                          "Time to decide a placement, without its commit.",
                          metrics_seconds, metrics_seconds_count),
        NULL);
    placement_failures = metrics_counter(
        "sriov_placement_failures_total", "reason",
        "Placements refused, by the reason that most hosts gave.");
    policy_failures =
        metrics_counter("sriov_policy_apply_failures_total", "field",
                        "Ports whose policy a host could not apply, by field.");
    const char *build[] = {SRIOV_VERSION};
    metric_set(metrics_series(metrics_gauge("sriov_build_info", "version",
                                            "Always 1; the version as label."),
                              build),
               1);
}

void count_placement(double seconds, const struct placement_reasons *reasons)
{
    metric_observe(placement_seconds, seconds);
    if (!reasons)
        return;
    /* Reasons are the core's own few words, never a client's. */
    const char *reason[] = {reasons->count ? reasons->items[0].reason
                                           : "no_hosts"};
    metric_add(metrics_series(placement_failures, reason), 1);
}

void count_policy_failures(const unsigned failures[POLICY_FIELD_MAX + 1])
{
    for (int i = 0; i <= POLICY_FIELD_MAX; i++) {
        const char *field[] = {i == POLICY_FIELD_MAX
                                   ? "none"
                                   : policy_field_name((enum policy_field)i)};
        if (failures[i])
            metric_add(metrics_series(policy_failures, field), failures[i]);
    }
}

/* ---- from the snapshot ---------------------------------------------------------- */

static void each_host(const struct snapshot *snapshot, struct str *out,
                      void (*write)(const struct snapshot *snapshot,
                                    const struct host_view *host,
                                    struct str *out))
{
    const struct host_view *host = snapshot_host_after(snapshot, NULL);
    for (; host; host = snapshot_host_after(snapshot, host->host->name))
        write(snapshot, host, out);
}

static void write_vfs(const struct snapshot *snapshot,
                      const struct host_view *host, struct str *out)
{
    const struct inventory *inventory =
        host->report ? host->report->inventory : NULL;
    for (size_t i = 0; inventory && i < inventory->pf_count; i++) {
        const struct pf *pf = inventory->pfs[i];
        size_t counts[VF_STATE_MAX] = {0};
        if (pf->vf_count == 0)
            continue;
        for (size_t j = 0; j < pf->vf_count; j++)
            counts[view_vf_state(snapshot, host, pf, &pf->vfs[j])]++;
        for (int state = 0; state < VF_STATE_MAX; state++) {
            const char *labels[] = {
                "host",  host->host->name,
                "pf",    pf->key.text,
                "state", vf_state_name((enum vf_state)state),
                NULL,
            };
            metrics_sample(out, "sriov_vfs", labels, (double)counts[state]);
        }
    }
}

static void write_reserved(const struct snapshot *snapshot,
                           const struct host_view *host, struct str *out)
{
    const struct inventory *inventory =
        host->report ? host->report->inventory : NULL;
    for (size_t i = 0; inventory && i < inventory->pf_count; i++) {
        const struct pf *pf = inventory->pfs[i];
        uint64_t mbps = 0;
        for (size_t j = 0; j < host->claim_count; j++) {
            const struct claim_entry *claim = &host->claims[j];
            const struct vm *vm = snapshot_vm(snapshot, &claim->vm);
            if (vm && pf_key_compare(&claim->pf, &pf->key) == 0)
                mbps += vm->ports[claim->port_index].claim.min_tx_rate_mbps;
        }
        const char *labels[] = {"host", host->host->name, "pf", pf->key.text,
                                NULL};
        if (pf->vf_count)
            metrics_sample(out, "sriov_pf_tx_reserved_bytes_per_second", labels,
                           (double)mbps * 125000);
    }
}

static void write_last_seen(const struct snapshot *snapshot,
                            const struct host_view *host, struct str *out)
{
    const char *labels[] = {"host", host->host->name, NULL};
    int64_t at = atomic_load(&host->last_seen_at);
    (void)snapshot;
    if (at)
        metrics_sample(out, "sriov_agent_last_seen_timestamp_seconds", labels,
                       (double)at / (double)TIMESTAMP_SECOND);
}

static void write_host_states(const struct snapshot *snapshot, struct str *out)
{
    size_t counts[HOST_STATE_MAX] = {0};
    const struct host_view *host = snapshot_host_after(snapshot, NULL);
    for (; host; host = snapshot_host_after(snapshot, host->host->name))
        counts[host->state]++;
    metrics_head(out, "sriov_hosts", METRICS_GAUGE, "Enrolled hosts by state.");
    for (int state = 0; state < HOST_STATE_MAX; state++) {
        const char *labels[] = {"state",
                                host_state_name((enum host_state)state), NULL};
        metrics_sample(out, "sriov_hosts", labels, (double)counts[state]);
    }
}

static void write_scheduler(struct api *api, const struct snapshot *snapshot,
                            struct str *out)
{
    struct http_server *server = api->server;
    const char *agent[] = {"lane", "agent", NULL};
    const char *client[] = {"lane", "client", NULL};
    metrics_head(out, "sriov_vms", METRICS_GAUGE, "VMs known, also deleting.");
    metrics_sample(out, "sriov_vms", NULL, (double)snapshot_vm_count(snapshot));
    metrics_head(out, "sriov_epoch", METRICS_GAUGE,
                 "Number of this scheduler's leadership.");
    metrics_sample(out, "sriov_epoch", NULL,
                   (double)snapshot_cluster(snapshot)->epoch);
    metrics_head(out, "sriov_queue_jobs", METRICS_GAUGE,
                 "Jobs that wait for the writer.");
    metrics_sample(
        out, "sriov_queue_jobs", agent,
        (double)service_queue_length(api->service, SERVICE_LANE_AGENT));
    metrics_sample(
        out, "sriov_queue_jobs", client,
        (double)service_queue_length(api->service, SERVICE_LANE_CLIENT));
    metrics_head(out, "sriov_parked_requests", METRICS_GAUGE,
                 "Long-polls and event streams that wait.");
    metrics_sample(out, "sriov_parked_requests", NULL,
                   server ? (double)http_parked(server) : 0);
}

HANDLER(handle_metrics)
{
    struct api *api = context;
    struct str out = {0};
    struct snapshot *snapshot = service_snapshot(api->service);
    metrics_render(&out);
    metrics_render_process(&out);
    write_scheduler(api, snapshot, &out);
    write_host_states(snapshot, &out);
    metrics_head(&out, "sriov_vfs", METRICS_GAUGE,
                 "VFs by state, claims included.");
    each_host(snapshot, &out, write_vfs);
    metrics_head(&out, "sriov_pf_tx_reserved_bytes_per_second", METRICS_GAUGE,
                 "Guaranteed send rate that claims hold on a PF.");
    each_host(snapshot, &out, write_reserved);
    metrics_head(&out, "sriov_agent_last_seen_timestamp_seconds", METRICS_GAUGE,
                 "When a host's agent was last heard.");
    each_host(snapshot, &out, write_last_seen);
    snapshot_put(snapshot);
    size_t length = out.length;
    http_answer_text(request, 200, METRICS_CONTENT_TYPE, str_take(&out),
                     length);
}

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

/* One gauge of every PF that has bandwidth to promise. */
static void each_promise(const struct host_view *host, struct str *out,
                         void (*write)(const char *const *labels,
                                       const struct pf_promise *promise,
                                       struct str *out))
{
    const struct inventory *inventory =
        host->report ? host->report->inventory : NULL;
    for (size_t i = 0; inventory && i < inventory->pf_count; i++) {
        const struct pf *pf = inventory->pfs[i];
        const struct pf_promise promise = host_view_promise(host, pf);
        const char *labels[] = {"host", host->host->name, "pf", pf->key.text,
                                NULL};
        if (pf->kind == DEVICE_NETWORK && (pf->total_vfs || pf->vf_count))
            write(labels, &promise, out);
    }
}

#define BYTES_OF_MBIT 125000.0

static void reserved_sample(const char *const *labels,
                            const struct pf_promise *promise, struct str *out)
{
    metrics_sample(out, "sriov_pf_tx_reserved_bytes_per_second", labels,
                   (double)promise->promised_mbps * BYTES_OF_MBIT);
}

static void write_reserved(const struct snapshot *snapshot,
                           const struct host_view *host, struct str *out)
{
    (void)snapshot;
    each_promise(host, out, reserved_sample);
}

static void promisable_sample(const char *const *labels,
                              const struct pf_promise *promise, struct str *out)
{
    if (promise->promisable_mbps)
        metrics_sample(out, "sriov_pf_tx_promisable_bytes_per_second", labels,
                       (double)promise->promisable_mbps * BYTES_OF_MBIT);
}

static void write_promisable(const struct snapshot *snapshot,
                             const struct host_view *host, struct str *out)
{
    (void)snapshot;
    each_promise(host, out, promisable_sample);
}

static void over_promised_sample(const char *const *labels,
                                 const struct pf_promise *promise,
                                 struct str *out)
{
    uint64_t mbps =
        promise->over ? promise->promised_mbps - promise->promisable_mbps : 0;
    metrics_sample(out, "sriov_pf_tx_over_promised_bytes_per_second", labels,
                   (double)mbps * BYTES_OF_MBIT);
}

static void write_over_promised(const struct snapshot *snapshot,
                                const struct host_view *host, struct str *out)
{
    (void)snapshot;
    each_promise(host, out, over_promised_sample);
}

/* PFs that have something set, by how far their host is with it. */
static void write_configurations(const struct snapshot *snapshot,
                                 const struct host_view *host, struct str *out)
{
    size_t counts[PF_PHASE_MAX] = {0}, total = 0;
    const struct inventory *inventory =
        host->report ? host->report->inventory : NULL;
    (void)snapshot;
    for (size_t i = 0; inventory && i < inventory->pf_count; i++) {
        enum pf_phase phase = view_pf_phase(host, &inventory->pfs[i]->key);
        if (phase == PF_PHASE_MAX)
            continue;
        counts[phase]++;
        total++;
    }
    for (int phase = 0; total && phase < PF_PHASE_MAX; phase++) {
        const char *labels[] = {
            "host",  host->host->name,
            "phase", pf_phase_name((enum pf_phase)phase),
            NULL,
        };
        metrics_sample(out, "sriov_pf_configurations", labels,
                       (double)counts[phase]);
    }
}

/* By the path that is wanted; degraded also where that one is not in use. */
static void write_ports(const struct snapshot *snapshot,
                        const struct host_view *host, struct str *out)
{
    size_t counts[PORT_PATH_MAX][2] = {0}, total = 0;
    for (size_t i = 0; i < host->vm_count; i++) {
        const struct vm *vm = snapshot_vm(snapshot, &host->vms[i]);
        for (size_t j = 0; vm && j < vm->port_count; j++) {
            const struct port *port = &vm->ports[j];
            if (port->device)
                continue;
            counts[port->path][view_degraded(host, port) != NULL]++;
            total++;
        }
    }
    for (int i = 0; total && i < PORT_PATH_MAX * 2; i++) {
        const int path = i / 2;
        const int degraded = i % 2;
        const char *labels[] = {
            "host",     host->host->name,
            "path",     port_path_name((enum port_path)path),
            "degraded", degraded ? "true" : "false",
            NULL,
        };
        metrics_sample(out, "sriov_ports", labels,
                       (double)counts[path][degraded]);
    }
}

/* 0 ok, 1 warning, 2 failed, 3 unknown; the names are the agent's own few. */
static void write_readiness(const struct snapshot *snapshot,
                            const struct host_view *host, struct str *out)
{
    const struct inventory *inventory =
        host->report ? host->report->inventory : NULL;
    (void)snapshot;
    for (size_t i = 0; inventory && i < inventory->check_count; i++) {
        const struct readiness_check *check = &inventory->checks[i];
        const char *labels[] = {"host", host->host->name, "check", check->name,
                                NULL};
        metrics_sample(out, "sriov_host_readiness", labels, check->status);
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
    metrics_head(&out, "sriov_pf_tx_promisable_bytes_per_second", METRICS_GAUGE,
                 "Guaranteed send rate that a PF's link can bear now.");
    each_host(snapshot, &out, write_promisable);
    metrics_head(&out, "sriov_pf_tx_over_promised_bytes_per_second",
                 METRICS_GAUGE, "What claims hold above what the link bears.");
    each_host(snapshot, &out, write_over_promised);
    metrics_head(&out, "sriov_pf_configurations", METRICS_GAUGE,
                 "PFs with settings, by how far their host is with them.");
    each_host(snapshot, &out, write_configurations);
    metrics_head(&out, "sriov_ports", METRICS_GAUGE,
                 "Ports by the path that is wanted, degraded or not.");
    each_host(snapshot, &out, write_ports);
    metrics_head(&out, "sriov_host_readiness", METRICS_GAUGE,
                 "Readiness check: 0 ok, 1 warning, 2 failed, 3 unknown.");
    each_host(snapshot, &out, write_readiness);
    metrics_head(&out, "sriov_agent_last_seen_timestamp_seconds", METRICS_GAUGE,
                 "When a host's agent was last heard.");
    each_host(snapshot, &out, write_last_seen);
    snapshot_put(snapshot);
    size_t length = out.length;
    http_answer_text(request, 200, METRICS_CONTENT_TYPE, str_take(&out),
                     length);
}

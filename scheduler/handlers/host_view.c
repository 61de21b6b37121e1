/* SPDX-License-Identifier: Apache-2.0 */
/* How hosts look to clients: what the agent reported, overlaid with what the
 * operator set and what is claimed. Absent facts are null. */
#include "scheduler/handlers/api.h"

#include "common/base/str.h"

#include <string.h>

static const char *mapped_network(const struct host *host, const char *device)
{
    for (size_t i = 0; i < host->mapping_count; i++)
        if (strcmp(host->mappings[i].device, device) == 0)
            return host->mappings[i].physical_network;
    return NULL;
}

/* The switches that the agent reports; then mappings without one. */
static json_t *networks(const struct host_view *view)
{
    json_t *list = json_array();
    const struct inventory *inventory =
        view->report ? view->report->inventory : NULL;
    for (size_t i = 0; inventory && i < inventory->network_count; i++) {
        struct network network = inventory->networks[i];
        const char *mapped = mapped_network(view->host, network.device);
        if (mapped)
            str_copy(network.physical_network, mapped);
        json_array_append_new(list, wire_network(&network));
    }
    return list;
}

static json_t *network_mappings(const struct host *host)
{
    json_t *list = json_array();
    for (size_t i = 0; i < host->mapping_count; i++) {
        json_t *item = json_object();
        wire_set(item, "device", wire_text(host->mappings[i].device));
        wire_set(item, "physical_network",
                 wire_text(host->mappings[i].physical_network));
        json_array_append_new(list, item);
    }
    return list;
}

static json_t *capacity(const struct host_view *view)
{
    const struct inventory *inventory =
        view->report ? view->report->inventory : NULL;
    json_t *object = json_object();
#define FACT(name)                                                             \
    wire_set(object, #name,                                                    \
             inventory ? wire_number(inventory->name) : json_null())
    FACT(vcpus);
    FACT(memory_mib);
    FACT(external_vcpus);
    FACT(external_memory_mib);
#undef FACT
    wire_set(object, "vcpu_ratio_percent",
             wire_number(view->host->vcpu_ratio_percent));
    wire_set(object, "memory_ratio_percent",
             wire_number(view->host->memory_ratio_percent));
    wire_set(object, "used_vcpus", wire_number(view->used_vcpus));
    wire_set(object, "used_memory_mib", wire_number(view->used_memory_mib));
    return object;
}

static json_t *agent(const struct host_view *view)
{
    const struct host_report *report = view->report;
    if (!report)
        return json_null();
    json_t *object = json_object();
    wire_set(object, "version", wire_text(report->agent_version));
    wire_set(object, "boot_id", wire_uuid(&report->boot_id));
    wire_set(object, "cluster_id", wire_uuid(&report->cluster_id));
    wire_set(object, "incarnation", wire_number(report->incarnation));
    wire_set(object, "sequence", wire_number(report->sequence));
    wire_set(object, "accepted", wire_revision(&report->accepted));
    wire_set(object, "reported_at", wire_timestamp(report->received_at));
    return object;
}

/* Ports that the agent holds a VF for and that we know nothing of. */
static json_t *unknown_ports(const struct host_view *view)
{
    json_t *list = json_array();
    for (size_t i = 0; view->report && i < view->report->port_count; i++) {
        const struct observed_port *port = &view->report->ports[i];
        if (port->phase != PORT_UNKNOWN)
            continue;
        json_t *item = json_object();
        wire_set(item, "id", wire_uuid(&port->id));
        wire_set(item, "vm", wire_uuid(&port->vm));
        wire_set(item, "claim",
                 port->has_claim ? wire_claim(&port->claim) : json_null());
        wire_set(item, "policy", wire_policy(&port->readback));
        wire_set(item, "observed_at", wire_timestamp(port->observed_at));
        json_array_append_new(list, item);
    }
    return list;
}

static json_t *unreadable(const struct inventory *inventory)
{
    json_t *list = json_array();
    for (size_t i = 0; inventory && i < inventory->unreadable_count; i++) {
        json_t *item = json_object();
        wire_set(item, "what", wire_text(inventory->unreadable[i].what));
        wire_set(item, "why", wire_text(inventory->unreadable[i].why));
        json_array_append_new(list, item);
    }
    return list;
}

static json_t *labels(const struct host *host)
{
    json_t *object = json_object();
    for (size_t i = 0; i < host->label_count; i++)
        wire_set(object, host->labels[i].key, wire_text(host->labels[i].value));
    return object;
}

json_t *view_host(const struct host_view *view)
{
    const struct host *host = view->host;
    const struct inventory *inventory =
        view->report ? view->report->inventory : NULL;
    size_t free_count = 0, pf_count = inventory ? inventory->pf_count : 0;
    for (size_t i = 0; i < pf_count; i++)
        free_count += view_free_vfs(view, inventory->pfs[i]);
    json_t *object = json_object();
    wire_set(object, "id", wire_uuid(&host->machine_id));
    wire_set(object, "name", wire_text(host->name));
    wire_set(object, "state",
             wire_text(host_state_name((enum host_state)view->state)));
    wire_set(object, "state_reason", wire_text(view->state_reason));
    wire_set(object, "generation", wire_number(host->generation));
    wire_set(object, "cordoned", json_boolean(host->cordoned));
    wire_set(object, "labels", labels(host));
    wire_set(object, "enrolled_at", wire_timestamp(host->enrolled_at));
    wire_set(object, "last_seen_at",
             wire_timestamp(atomic_load(&view->last_seen_at)));
    wire_set(object, "revision", wire_revision(&view->revision));
    wire_set(object, "kernel",
             inventory ? wire_text(inventory->kernel) : json_null());
    wire_set(object, "capacity", capacity(view));
    wire_set(object, "networks", networks(view));
    wire_set(object, "network_mappings", network_mappings(host));
    wire_set(object, "pf_count",
             inventory ? wire_number(pf_count) : json_null());
    wire_set(object, "free_vf_count",
             inventory ? wire_number(free_count) : json_null());
    wire_set(object, "vm_count", wire_number(view->vm_count));
    wire_set(object, "readiness", view_readiness_summary(view));
    wire_set(object, "agent", agent(view));
    wire_set(object, "unknown_to_scheduler", unknown_ports(view));
    wire_set(object, "unreadable", unreadable(inventory));
    return object;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* GET /v1/hosts/{host}/readiness: what the agent found out about the things a
 * host must have for VFs to work, each with what to do about it. */
#include "scheduler/handlers/api.h"

static const struct inventory *inventory_of(const struct host_view *host)
{
    return host->report ? host->report->inventory : NULL;
}

/* What needs an operator most comes last. A warning is known to be so, an
 * unknown check only may be. */
static int badness(enum check_status status)
{
    switch (status) {
    case CHECK_FAILED:
        return 3;
    case CHECK_WARNING:
        return 2;
    case CHECK_UNKNOWN:
    case CHECK_STATUS_MAX:
        return 1;
    case CHECK_OK:
        break;
    }
    return 0;
}

enum check_status view_readiness_status(const struct host_view *host)
{
    const struct inventory *inventory = inventory_of(host);
    enum check_status worst = CHECK_OK;
    if (!inventory || inventory->check_count == 0)
        return CHECK_UNKNOWN;
    for (size_t i = 0; i < inventory->check_count; i++) {
        enum check_status next = (enum check_status)inventory->checks[i].status;
        if (badness(next) > badness(worst))
            worst = next;
    }
    return worst;
}

json_t *view_readiness_summary(const struct host_view *host)
{
    const struct inventory *inventory = inventory_of(host);
    json_t *object = json_object(), *names = json_array();
    for (size_t i = 0; inventory && i < inventory->check_count; i++)
        if (inventory->checks[i].status != CHECK_OK)
            json_array_append_new(names, wire_text(inventory->checks[i].name));
    wire_set(object, "status",
             wire_text(check_status_name(view_readiness_status(host))));
    wire_set(object, "not_ok", names);
    return object;
}

static json_t *view_readiness(const struct host_view *host)
{
    const struct inventory *inventory = inventory_of(host);
    json_t *object = json_object();
    wire_set(object, "host", wire_text(host->host->name));
    wire_set(object, "status",
             wire_text(check_status_name(view_readiness_status(host))));
    wire_set(object, "checks",
             inventory ? wire_checks(inventory) : json_array());
#define FACT(name)                                                             \
    wire_set(object, #name,                                                    \
             inventory ? wire_text(inventory->name) : json_null())
    FACT(libvirt_version);
    FACT(qemu_version);
    FACT(kernel);
#undef FACT
    wire_set(object, "reported_at",
             host->report ? wire_timestamp(host->report->received_at)
                          : json_null());
    return object;
}

HANDLER(handle_host_readiness)
{
    struct api *api = context;
    struct error err = {0};
    struct snapshot *snapshot = service_snapshot(api->service);
    const struct host_view *host =
        api_host(snapshot, http_param(request, "host"), &err);
    if (host)
        http_answer_json(request, 200, view_readiness(host), NULL);
    else
        api_error(request, &err);
    snapshot_put(snapshot);
}

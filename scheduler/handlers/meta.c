/* SPDX-License-Identifier: Apache-2.0 */
/* What is asked of the scheduler itself: health, readiness, version, the
 * contract. */
#include "scheduler/handlers/api.h"

#include "common/base/mem.h"
#include "common/base/str.h"

#include <string.h>

/* openapi.yaml, put into the program as it is when that is built. */
__asm__(".section .rodata\n"
        ".global handlers_openapi_begin\n"
        ".global handlers_openapi_end\n"
        "handlers_openapi_begin:\n"
        ".incbin \"" SRIOV_OPENAPI "\"\n"
        "handlers_openapi_end:\n"
        ".byte 0\n"
        ".text\n");
extern const char handlers_openapi_begin[], handlers_openapi_end[];

HANDLER(handle_openapi)
{
    (void)context;
    size_t length = (size_t)(handlers_openapi_end - handlers_openapi_begin);
    http_answer_text(request, 200, "application/yaml",
                     mem_dup(handlers_openapi_begin, length), length);
}

static void answer_line(struct http_request *request, const char *line)
{
    http_answer_text(request, 200, "text/plain; charset=utf-8",
                     mem_strdup(line), strlen(line));
}

/* The process runs and answers; whether it can do its work is /readyz. */
HANDLER(handle_healthz)
{
    (void)context;
    answer_line(request, "ok\n");
}

HANDLER(handle_readyz)
{
    struct api *api = context;
    struct error err = {0};
    if (service_ready(api->service, &err) < 0)
        api_error(request, &err);
    else
        answer_line(request, "ready\n");
}

HANDLER(handle_version)
{
    struct api *api = context;
    struct snapshot *snapshot = service_snapshot(api->service);
    const struct cluster *cluster = snapshot_cluster(snapshot);
    json_t *body = json_object();
    wire_set(body, "version", wire_text(SRIOV_VERSION));
    wire_set(body, "api", wire_text("v1"));
    wire_set(body, "cluster_id", wire_uuid(&cluster->id));
    wire_set(body, "epoch", wire_number(cluster->epoch));
    http_answer_json(request, 200, body, NULL);
    snapshot_put(snapshot);
}

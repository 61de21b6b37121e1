/* SPDX-License-Identifier: Apache-2.0 */
/* /v1/hosts: list, enrol, show, change, forget. */
#include "scheduler/handlers/api.h"

#include "api/http/token.h"
#include "common/base/mem.h"
#include "common/base/str.h"

#include <stdio.h>
#include <string.h>

HANDLER(handle_hosts_list)
{
    struct api *api = context;
    struct error err = {0};
    size_t limit = 0;
    const char *marker = NULL;
    if (api_page(request, &limit, &marker, &err) < 0) {
        api_error(request, &err);
        return;
    }
    struct snapshot *snapshot = service_snapshot(api->service);
    json_t *items = json_array();
    const struct host_view *host = snapshot_host_after(snapshot, marker);
    const char *last = NULL;
    for (; host && json_array_size(items) < limit;
         host = snapshot_host_after(snapshot, last)) {
        json_array_append_new(items, view_host(host));
        last = host->host->name;
    }
    api_answer_list(request, items, host ? last : NULL);
    snapshot_put(snapshot);
}

HANDLER(handle_host_show)
{
    struct api *api = context;
    struct error err = {0};
    struct snapshot *snapshot = service_snapshot(api->service);
    const struct host_view *host =
        api_host(snapshot, http_param(request, "host"), &err);
    if (host)
        api_answer(request, 200, view_host(host), host->host->generation, NULL);
    else
        api_error(request, &err);
    snapshot_put(snapshot);
}

/* ---- enrolment ------------------------------------------------------------------- */

struct enroll {
    struct api_job api;
    char name[NAME_SIZE];
    char token[HTTP_TOKEN_SIZE];
    bool renewed;
};

static int run_enroll(struct job *job, struct core *core,
                      const struct core_call *call, struct tx *tx,
                      struct error *err)
{
    struct enroll *enroll = (struct enroll *)job;
    uint8_t hash[32];
    http_token_hash(enroll->token, hash);
    return core_host_enroll(core, call, enroll->name, hash, tx,
                            &enroll->renewed, err);
}

static void answer_enroll(struct job *job, struct snapshot *snapshot,
                          const struct error *err)
{
    struct enroll *enroll = (struct enroll *)job;
    struct http_request *request = enroll->api.request;
    if (err) {
        api_error(request, err);
    } else {
        const struct host_view *host = snapshot_host(snapshot, enroll->name);
        auto_free char *location = mem_printf("/v1/hosts/%s", enroll->name);
        json_t *body = json_object();
        wire_set(body, "name", wire_text(enroll->name));
        wire_set(body, "token", wire_text(enroll->token));
        wire_set(body, "renewed", json_boolean(enroll->renewed));
        api_answer(request, enroll->renewed ? 200 : 201, body,
                   host ? host->host->generation : 1, location);
    }
    explicit_bzero(enroll->token, sizeof enroll->token);
    free(enroll);
}

HANDLER(handle_hosts_enroll)
{
    struct error err = {0};
    const json_t *body = api_body(request);
    if (!body)
        return;
    struct enroll *enroll = mem_new(struct enroll);
    struct json_reader reader;
    json_reader_begin(&reader, body, "", &err);
    wire_take_copy(&reader, "name", true, enroll->name);
    if (json_reader_end(&reader, true, NULL) < 0 ||
        http_token_make(enroll->token, &err) < 0) {
        api_error(request, &err);
        free(enroll);
        return;
    }
    enroll->api.job.run = run_enroll;
    enroll->api.job.answer = answer_enroll;
    api_submit(context, request, SERVICE_LANE_CLIENT, &enroll->api);
}

/* ---- changing --------------------------------------------------------------------- */

struct change {
    struct api_job api;
    char host[NAME_SIZE];
    struct host_patch patch;
    struct label labels[HOST_LABELS_MAX];
    struct network_mapping mappings[HOST_NETWORKS_MAX];
};

static int run_change(struct job *job, struct core *core,
                      const struct core_call *call, struct tx *tx,
                      struct error *err)
{
    struct change *change = (struct change *)job;
    return core_host_patch(core, call, change->host, &change->patch, tx, err);
}

static void answer_change(struct job *job, struct snapshot *snapshot,
                          const struct error *err)
{
    struct change *change = (struct change *)job;
    struct http_request *request = change->api.request;
    struct error missing = {0};
    const struct host_view *host =
        err ? NULL : api_host(snapshot, change->host, &missing);
    if (host)
        api_answer(request, 200, view_host(host), host->host->generation, NULL);
    else
        api_error(request, err ? err : &missing);
    free(change);
}

static int read_labels(const json_t *labels, struct change *change,
                       struct error *err)
{
    const char *key = NULL;
    json_t *value = NULL;
    size_t count = 0;
    if (json_object_size(labels) > HOST_LABELS_MAX) {
        error_fill(err, ERROR_INVALID, 0, "labels",
                   "%zu labels, at most %d are kept", json_object_size(labels),
                   HOST_LABELS_MAX);
        error_remedy(err, "send at most %d labels", HOST_LABELS_MAX);
        return -1;
    }
    json_object_foreach((json_t *)(uintptr_t)labels, key, value)
    {
        struct label *label = &change->labels[count++];
        char field[WIRE_PATH_SIZE];
        wire_path(field, "labels", key);
        if (!str_is_name(key)) {
            error_fill(err, ERROR_INVALID, 0, field,
                       "the label name '%.40s' is not 1 to 63 of "
                       "[A-Za-z0-9._-]",
                       key);
            error_remedy(err, "begin it with a letter or digit");
            return -1;
        }
        if (!json_is_string(value) ||
            !str_copy(label->value, json_string_value(value))) {
            error_fill(err, ERROR_INVALID, 0, field,
                       "the value of a label is a text of at most %d bytes",
                       NAME_SIZE - 1);
            error_remedy(err, "send a short text");
            return -1;
        }
        str_copy(label->key, key);
    }
    change->patch.has_labels = true;
    change->patch.labels = change->labels;
    change->patch.label_count = count;
    return 0;
}

static int read_mapping(const json_t *value, size_t index,
                        struct change *change, struct error *err)
{
    struct network_mapping *mapping = &change->mappings[index];
    struct json_reader reader;
    char path[WIRE_PATH_SIZE];
    json_reader_begin(&reader, value, wire_path_at(path, "", "networks", index),
                      err);
    wire_take_copy(&reader, "device", true, mapping->device);
    wire_take_copy(&reader, "physical_network", true,
                   mapping->physical_network);
    if (!reader.failed && !*mapping->device)
        json_reader_fail(&reader, "device", "the name of a bridge is empty");
    if (!reader.failed && !str_is_name(mapping->physical_network))
        json_reader_fail(&reader, "physical_network",
                         "'%s' is not 1 to 63 of [A-Za-z0-9._-]",
                         mapping->physical_network);
    for (size_t i = 0; i < index && !reader.failed; i++)
        if (strcmp(change->mappings[i].device, mapping->device) == 0)
            json_reader_fail(&reader, "device", "'%s' is mapped twice",
                             mapping->device);
    if (reader.failed && !*err->remedy)
        error_remedy(err, "map each bridge of the host once, to a name such "
                          "as physnet0");
    return json_reader_end(&reader, true, NULL);
}

static int read_change(const struct http_request *request, const json_t *body,
                       struct change *change, struct error *err)
{
    struct host_patch *patch = &change->patch;
    struct json_reader reader;
    const json_t *labels = NULL, *mappings = NULL;
    uint64_t generation = 0, ratio = 0;
    json_reader_begin(&reader, body, "", err);
    bool in_body =
        json_take_u64(&reader, "generation", false, 0, INT64_MAX, &generation);
    patch->has_cordoned =
        json_take_bool(&reader, "cordoned", false, &patch->cordoned);
    patch->has_vcpu_ratio =
        json_take_u64(&reader, "vcpu_ratio_percent", false, 100, 10000, &ratio);
    patch->vcpu_ratio_percent = (uint32_t)ratio;
    patch->has_memory_ratio = json_take_u64(&reader, "memory_ratio_percent",
                                            false, 100, 10000, &ratio);
    patch->memory_ratio_percent = (uint32_t)ratio;
    json_take_object(&reader, "labels", false, &labels);
    json_take_array(&reader, "networks", false, HOST_NETWORKS_MAX, &mappings);
    if (json_reader_end(&reader, true, NULL) < 0 ||
        api_generation(request, in_body, generation, &patch->has_generation,
                       &patch->generation, err) < 0 ||
        (labels && read_labels(labels, change, err) < 0))
        return -1;
    for (size_t i = 0; i < json_array_size(mappings); i++)
        if (read_mapping(json_array_get(mappings, i), i, change, err) < 0)
            return -1;
    patch->has_mappings = mappings != NULL;
    patch->mappings = change->mappings;
    patch->mapping_count = json_array_size(mappings);
    return 0;
}

HANDLER(handle_host_patch)
{
    struct error err = {0};
    const json_t *body = api_body(request);
    if (!body)
        return;
    struct change *change = mem_new(struct change);
    if (read_change(request, body, change, &err) < 0 ||
        api_host_name(context, request, change->host, &err) < 0) {
        api_error(request, &err);
        free(change);
        return;
    }
    change->api.job.run = run_change;
    change->api.job.answer = answer_change;
    api_submit(context, request, SERVICE_LANE_CLIENT, &change->api);
}

/* ---- forgetting ------------------------------------------------------------------- */

struct removal {
    struct api_job api;
    char host[NAME_SIZE];
    bool has_generation;
    uint64_t generation;
};

static int run_removal(struct job *job, struct core *core,
                       const struct core_call *call, struct tx *tx,
                       struct error *err)
{
    struct removal *removal = (struct removal *)job;
    /* An empty patch is the core's check of the generation. */
    struct host_patch check = {
        .has_generation = true,
        .generation = removal->generation,
    };
    if (removal->has_generation &&
        core_host_patch(core, call, removal->host, &check, tx, err) < 0)
        return -1;
    return core_host_delete(core, call, removal->host, tx, err);
}

static void answer_removal(struct job *job, struct snapshot *snapshot,
                           const struct error *err)
{
    struct removal *removal = (struct removal *)job;
    (void)snapshot;
    if (err)
        api_error(removal->api.request, err);
    else
        http_answer_json(removal->api.request, 204, NULL, NULL);
    free(removal);
}

HANDLER(handle_host_delete)
{
    struct error err = {0};
    struct removal *removal = mem_new(struct removal);
    if (api_if_match(request, &removal->has_generation, &removal->generation,
                     &err) < 0 ||
        api_host_name(context, request, removal->host, &err) < 0) {
        api_error(request, &err);
        free(removal);
        return;
    }
    removal->api.job.run = run_removal;
    removal->api.job.answer = answer_removal;
    api_submit(context, request, SERVICE_LANE_CLIENT, &removal->api);
}

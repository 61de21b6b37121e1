/* SPDX-License-Identifier: Apache-2.0 */
/* What operators do to hosts: enrol, settle, delete. Each command checks
 * everything first and changes afterwards. PFs: pf_settings.c. */
#include "scheduler/core/internal.h"

#include "common/base/str.h"

#include <string.h>

static const uint32_t ratio_min = 100, ratio_max = 10000;

static int check_hash_free(const struct core *core, const uint8_t hash[32],
                           const char *host, struct error *err)
{
    const struct host *other = omap_get(&core->state.host_hashes, hash, 32);
    if (omap_get(&core->state.token_hashes, hash, 32) ||
        (other && strcmp(other->name, host) != 0))
        return error_set(err, ERROR_CONFLICT,
                         "this token is already somebody else's");
    return 0;
}

/* Whoever holds the new token begins anew: also an agent that lost its state
 * folder and counts its reports from 1 again. */
static void forget_report(struct core *core, struct tx *tx, const char *name)
{
    const struct host_view *view = state_host(&core->state, name);
    if (view && view->report)
        core_change(core, tx, RECORD_REPORT, view->report, NULL);
}

int core_host_enroll(struct core *core, const struct core_call *call,
                     const char *name, const uint8_t token_hash[32],
                     struct tx *tx, bool *renewed, struct error *err)
{
    if (!str_is_name(name))
        return error_set_field(err, ERROR_INVALID, "name",
                               "'%.64s' is no host name: 1 to 63 letters, "
                               "digits, '.', '_', '-'",
                               name);
    if (check_hash_free(core, token_hash, name, err))
        return -1;
    const struct host_view *view = state_host(&core->state, name);
    struct host *old = view ? view->host : NULL;
    struct host *host = old ? host_dup(old) : host_new(0, 0, 0);
    if (old) {
        host->generation++;
    } else {
        str_copy(host->name, name);
        host->generation = 1;
        host->enrolled_at = call->now_ns;
    }
    memcpy(host->token_hash, token_hash, sizeof host->token_hash);
    core_change(core, tx, RECORD_HOST, old, host);
    forget_report(core, tx, name);
    core_event(core, call, tx, (struct event_about){.host = name},
               "HostEnrolled", old ? "TokenRenewed" : "NewHost",
               old ? "host '%s' has a new agent token; the old one is void"
                   : "host '%s' is enrolled",
               name);
    *renewed = old != NULL;
    return 0;
}

int core_check_generation(const struct host *host, bool given,
                          uint64_t generation, struct error *err)
{
    if (!given || generation == host->generation)
        return 0;
    error_fill(err, ERROR_CONCURRENT_UPDATE, 0, "",
               "host '%s' has generation %llu, not %llu", host->name,
               (unsigned long long)host->generation,
               (unsigned long long)generation);
    error_remedy(err, "read the host again and repeat the change");
    return -1;
}

static int check_ratio(bool given, uint32_t percent, const char *field,
                       struct error *err)
{
    if (!given || (percent >= ratio_min && percent <= ratio_max))
        return 0;
    return error_set_field(err, ERROR_INVALID, field,
                           "%u is not between %u and %u percent", percent,
                           ratio_min, ratio_max);
}

static int check_labels(const struct host_patch *patch, struct error *err)
{
    if (patch->label_count > HOST_LABELS_MAX)
        return error_set_field(err, ERROR_INVALID, "labels",
                               "%zu labels are more than %d",
                               patch->label_count, HOST_LABELS_MAX);
    for (size_t i = 0; i < patch->label_count; i++) {
        if (!str_is_name(patch->labels[i].key))
            return error_set_field(err, ERROR_INVALID, "labels",
                                   "'%s' is no label name",
                                   patch->labels[i].key);
        for (size_t j = 0; j < i; j++)
            if (strcmp(patch->labels[i].key, patch->labels[j].key) == 0)
                return error_set_field(err, ERROR_INVALID, "labels",
                                       "label '%s' is given twice",
                                       patch->labels[i].key);
    }
    return 0;
}

static int check_mappings(const struct host_patch *patch, struct error *err)
{
    if (patch->mapping_count > HOST_NETWORKS_MAX)
        return error_set_field(err, ERROR_INVALID, "networks",
                               "%zu networks are more than %d",
                               patch->mapping_count, HOST_NETWORKS_MAX);
    for (size_t i = 0; i < patch->mapping_count; i++) {
        const struct network_mapping *mapping = &patch->mappings[i];
        if (!*mapping->device || strpbrk(mapping->device, "/ \t\n"))
            return error_set_field(err, ERROR_INVALID, "networks",
                                   "'%s' is no device name", mapping->device);
        if (*mapping->physical_network &&
            !str_is_name(mapping->physical_network))
            return error_set_field(err, ERROR_INVALID, "networks",
                                   "'%s' is no physical network's name",
                                   mapping->physical_network);
        for (size_t j = 0; j < i; j++)
            if (strcmp(mapping->device, patch->mappings[j].device) == 0)
                return error_set_field(err, ERROR_INVALID, "networks",
                                       "device '%s' is mapped twice",
                                       mapping->device);
    }
    return 0;
}

static int check_patch(const struct host *host, const struct host_patch *patch,
                       struct error *err)
{
    if (core_check_generation(host, patch->has_generation, patch->generation,
                              err) ||
        check_ratio(patch->has_vcpu_ratio, patch->vcpu_ratio_percent,
                    "vcpu_ratio_percent", err) ||
        check_ratio(patch->has_memory_ratio, patch->memory_ratio_percent,
                    "memory_ratio_percent", err))
        return -1;
    if (patch->has_labels && check_labels(patch, err))
        return -1;
    if (patch->has_mappings && check_mappings(patch, err))
        return -1;
    return 0;
}

static void *copy_array(const void *items, size_t count, size_t size)
{
    void *copy = mem_calloc(count, size);
    if (count)
        memcpy(copy, items, count * size);
    return copy;
}

static struct host *patched(const struct host *old,
                            const struct host_patch *patch)
{
    struct host *host = host_dup(old);
    host->generation++;
    if (patch->has_cordoned)
        host->cordoned = patch->cordoned;
    if (patch->has_vcpu_ratio)
        host->vcpu_ratio_percent = patch->vcpu_ratio_percent;
    if (patch->has_memory_ratio)
        host->memory_ratio_percent = patch->memory_ratio_percent;
    if (patch->has_labels) {
        free(host->labels);
        host->label_count = patch->label_count;
        host->labels =
            copy_array(patch->labels, patch->label_count, sizeof *host->labels);
    }
    if (patch->has_mappings) {
        free(host->mappings);
        host->mapping_count = patch->mapping_count;
        host->mappings = copy_array(patch->mappings, patch->mapping_count,
                                    sizeof *host->mappings);
    }
    return host;
}

int core_host_patch(struct core *core, const struct core_call *call,
                    const char *name, const struct host_patch *patch,
                    struct tx *tx, struct error *err)
{
    const struct host_view *view = core_find_host(core, name, err);
    if (!view || check_patch(view->host, patch, err))
        return -1;
    bool was_cordoned = view->host->cordoned;
    struct host *host = patched(view->host, patch);
    core_change(core, tx, RECORD_HOST, view->host, host);
    struct event_about about = {.host = host->name};
    if (host->cordoned != was_cordoned)
        core_event(core, call, tx, about,
                   host->cordoned ? "HostCordoned" : "HostUncordoned",
                   "OperatorRequest",
                   host->cordoned ? "host '%s' takes no new VMs"
                                  : "host '%s' takes new VMs again",
                   host->name);
    if (patch->has_vcpu_ratio || patch->has_memory_ratio || patch->has_labels ||
        patch->has_mappings)
        core_event(core, call, tx, about, "HostChanged", "OperatorRequest",
                   "the settings of host '%s' changed", host->name);
    return 0;
}

int core_host_delete(struct core *core, const struct core_call *call,
                     const char *name, struct tx *tx, struct error *err)
{
    const struct host_view *view = core_find_host(core, name, err);
    if (!view)
        return -1;
    if (view->vm_count) {
        error_fill(err, ERROR_IN_USE, 0, "", "host '%s' has %zu VMs", name,
                   view->vm_count);
        error_remedy(err, "delete its VMs first and wait until they are gone");
        return -1;
    }
    struct host *host = ref_get(view->host);
    if (view->report)
        core_change(core, tx, RECORD_REPORT, view->report, NULL);
    view = state_host(&core->state, host->name);
    if (view->presence)
        core_change(core, tx, RECORD_PRESENCE, view->presence, NULL);
    core_change(core, tx, RECORD_HOST, host, NULL);
    core_event(core, call, tx, (struct event_about){.host = host->name},
               "HostDeleted", "OperatorRequest",
               "host '%s' is deleted; its agent's token is void", host->name);
    ref_put(host);
    return 0;
}

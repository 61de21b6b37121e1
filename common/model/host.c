/* SPDX-License-Identifier: Apache-2.0 */
/* What operators set: hosts, tokens, the cluster, and events. See vm.h. */
#include "common/model/names.h"
#include "common/model/vm.h"

#include <string.h>

static const char *const host_state_names[] = {
#define X(name, wire) [HOST_##name] = wire,
    HOST_STATES(X)
#undef X
};
NAMES_DEFINE(host_state, HOST_STATE_MAX);

static const char *const role_names[] = {
    [ROLE_NONE] = "none",         [ROLE_VIEWER] = "viewer",
    [ROLE_OPERATOR] = "operator", [ROLE_ADMIN] = "admin",
    [ROLE_AGENT] = "agent",
};
NAMES_DEFINE(role, ROLE_MAX);

static void host_release(void *object)
{
    struct host *host = object;
    free(host->labels);
    free(host->pf_settings);
    free(host->mappings);
    free(host);
}

struct host *host_new(size_t label_count, size_t pf_setting_count,
                      size_t mapping_count)
{
    struct host *host = mem_new(struct host);
    ref_init(&host->ref, host_release);
    host->vcpu_ratio_percent = host->memory_ratio_percent = 100;
    host->label_count = label_count;
    host->labels = mem_calloc(label_count, sizeof *host->labels);
    host->pf_setting_count = pf_setting_count;
    host->pf_settings = mem_calloc(pf_setting_count, sizeof *host->pf_settings);
    for (size_t i = 0; i < pf_setting_count; i++)
        host->pf_settings[i] = pf_setting_new(&(struct pf_key){0});
    host->mapping_count = mapping_count;
    host->mappings = mem_calloc(mapping_count, sizeof *host->mappings);
    return host;
}

/* Copies an array that may be empty. */
static void *dup_array(const void *array, size_t count, size_t size)
{
    void *copy = mem_calloc(count, size);
    if (count)
        memcpy(copy, array, count * size);
    return copy;
}

struct host *host_dup(const struct host *host)
{
    struct host *copy = mem_dup(host, sizeof *host);
    ref_init(&copy->ref, host_release);
    copy->labels =
        dup_array(host->labels, host->label_count, sizeof *host->labels);
    copy->pf_settings = dup_array(host->pf_settings, host->pf_setting_count,
                                  sizeof *host->pf_settings);
    copy->mappings =
        dup_array(host->mappings, host->mapping_count, sizeof *host->mappings);
    return copy;
}

uint32_t pf_link_speed_mbps(const struct pf *pf,
                            const struct pf_setting *setting)
{
    if (pf->link_speed_mbps > 0)
        return (uint32_t)pf->link_speed_mbps;
    return setting ? setting->link_speed_mbps : 0;
}

struct pf_setting pf_setting_new(const struct pf_key *key)
{
    return (struct pf_setting){.key = *key, .words = capabilities_unknown()};
}

uint64_t pf_promisable_mbps(const struct pf *pf,
                            const struct pf_setting *setting)
{
    uint64_t percent =
        setting && setting->tx_ratio_percent ? setting->tx_ratio_percent : 100;
    return pf_link_speed_mbps(pf, setting) * percent / 100;
}

struct capabilities pf_capabilities(const struct pf *pf,
                                    const struct pf_setting *setting)
{
    if (!setting)
        return pf->capabilities;
    struct capabilities words = setting->words;
    for (int i = 0; i < POLICY_FIELD_MAX; i++)
        words.field[i].source = CAPABILITY_SOURCE_OPERATOR;
    for (int i = 0; i < CAPABILITY_TRAIT_MAX; i++)
        words.trait[i].source = CAPABILITY_SOURCE_OPERATOR;
    return capabilities_merge(&pf->capabilities, &words);
}

const struct pf_setting *host_pf_setting(const struct host *host,
                                         const struct pf_key *key)
{
    for (size_t i = 0; i < host->pf_setting_count; i++)
        if (pf_key_compare(&host->pf_settings[i].key, key) == 0)
            return &host->pf_settings[i];
    return NULL;
}

static void plain_release(void *object)
{
    free(object);
}

struct token *token_new(void)
{
    struct token *token = mem_new(struct token);
    ref_init(&token->ref, plain_release);
    return token;
}

struct cluster *cluster_new(void)
{
    struct cluster *cluster = mem_new(struct cluster);
    ref_init(&cluster->ref, plain_release);
    return cluster;
}

struct event *event_new(void)
{
    struct event *event = mem_new(struct event);
    ref_init(&event->ref, plain_release);
    return event;
}

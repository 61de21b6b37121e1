/* SPDX-License-Identifier: Apache-2.0 */
/* Which hardware the hosts of a fleet have: a weighted list, dealt like cards,
 * so that a fleet of any size has the mix that was asked for. */
#include "agent/host/sim/sim.h"
#include "common/base/file.h"
#include "common/base/json.h"
#include "common/base/str.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define PROFILE_FILE_MAX (64 * 1024)

static int item_read(const json_t *value, const char *path,
                     struct sim_profile_item *item, struct error *err)
{
    struct json_reader r;
    uint64_t weight = 1, pfs = 1;
    json_reader_begin(&r, value, path, err);
    json_take_copy(&r, "model", true, item->model, sizeof item->model);
    json_take_u64(&r, "weight", false, 1, 1000, &weight);
    json_take_u64(&r, "pfs", false, 0, SIM_HOST_PFS_MAX, &pfs);
    json_take_copy(&r, "with", false, item->with, sizeof item->with);
    bool none = strcmp(item->model, "none") == 0;
    if (!r.failed && !none && !sim_model_find(item->model))
        json_reader_fail(&r, "model", "no NIC model '%s'", item->model);
    if (!r.failed && !none && pfs == 0)
        json_reader_fail(&r, "pfs", "0 PFs only with the model none");
    if (!r.failed && item->with[0] && !sim_model_find(item->with))
        json_reader_fail(&r, "with", "no model '%s'", item->with);
    if (!r.failed && item->with[0] && pfs == SIM_HOST_PFS_MAX)
        json_reader_fail(&r, "with", "there are %d PFs already",
                         SIM_HOST_PFS_MAX);
    item->weight = (uint32_t)weight;
    item->pfs = none ? 0 : (uint32_t)pfs;
    return json_reader_end(&r, true, NULL);
}

int sim_profile_read(const char *path, struct sim_profile *profile,
                     struct error *err)
{
    size_t length = 0;
    struct sim_profile read = {0};
    auto_free char *text =
        file_read(AT_FDCWD, path, PROFILE_FILE_MAX, &length, err);
    if (!text)
        return -1;
    auto_json json_t *list = json_parse(text, length, err);
    if (!list) {
        error_prefix(err, "profile '%s'", path);
        return -1;
    }
    if (!json_is_array(list) || json_array_size(list) == 0 ||
        json_array_size(list) > SIM_PROFILE_MAX)
        return error_set(err, ERROR_INVALID,
                         "profile '%s': a list of 1 to %d items is needed",
                         path, SIM_PROFILE_MAX);
    for (size_t i = 0; i < json_array_size(list); i++) {
        char place[32];
        snprintf(place, sizeof place, "[%zu]", i);
        if (item_read(json_array_get(list, i), place, &read.items[i], err)) {
            error_prefix(err, "profile '%s'", path);
            return -1;
        }
        read.count++;
    }
    *profile = read;
    return 0;
}

void sim_profile_default(struct sim_profile *profile)
{
    const struct sim_model *model = NULL;
    memset(profile, 0, sizeof *profile);
    for (size_t i = 0; (model = sim_model_at(i)); i++) {
        if (sim_model_kind(model) != DEVICE_NETWORK)
            continue;
        struct sim_profile_item *item = &profile->items[profile->count++];
        str_copy(item->model, sim_model_name(model));
        item->weight = 1;
        item->pfs = strcmp(item->model, "virtio-net") == 0 ? 1 : 2;
    }
    profile->items[profile->count++] =
        (struct sim_profile_item){.model = "none", .weight = 1};
}

/* The item that place 'place' of round 'round' gets: the round's deck, each
 * item as often as its weight, shuffled (Fisher and Yates) by the seed. */
static const struct sim_profile_item *deal(const struct sim_profile *profile,
                                           uint64_t seed, uint64_t round,
                                           size_t place)
{
    uint8_t deck[SIM_PROFILE_MAX * 1000];
    size_t size = 0;
    for (size_t i = 0; i < profile->count; i++)
        for (uint32_t n = 0; n < profile->items[i].weight; n++)
            deck[size++] = (uint8_t)i;
    struct rng rng = {seed ^ (round * 0x9e3779b97f4a7c15u)};
    for (size_t i = size - 1; i > 0; i--) {
        size_t other = (size_t)rng_below(&rng, i + 1);
        uint8_t kept = deck[i];
        deck[i] = deck[other];
        deck[other] = kept;
    }
    return &profile->items[deck[place]];
}

void sim_profile_host(const struct sim_profile *profile, uint64_t seed,
                      size_t number, struct sim_host_config *config)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < profile->count; i++)
        sum += profile->items[i].weight;
    static const struct sim_profile_item nothing;
    const struct sim_profile_item *item =
        sum == 0 ? &nothing
                 : deal(profile, seed, number / sum, (size_t)(number % sum));
    struct rng rng = {seed + number * 0x2545f4914f6cdd1du};
    config->seed = rng_next(&rng);
    config->pf_count = item->pfs;
    for (uint32_t i = 0; i < item->pfs; i++)
        config->pfs[i] = item->model;
    if (item->with[0])
        config->pfs[config->pf_count++] = item->with;
}

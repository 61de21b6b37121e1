/* SPDX-License-Identifier: Apache-2.0 */
/* The fleet's loop over its members. */
#include "agent/fleet/fleet.h"

#include "agent/fleet/member.h"
#include "common/base/timestamp.h"

#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/resource.h>

#define TICK_MS 20 /* while members are being made ready */
#define IDLE_MS 200
#define PROGRESS_NS (500 * TIMESTAMP_MS)

static volatile sig_atomic_t stopping;
static _Atomic(struct client_multi *) current;

void fleet_stop(void)
{
    stopping = 1;
    struct client_multi *multi = atomic_load(&current);
    if (multi)
        client_multi_wakeup(multi);
}

/* Two connections a host: a poll that waits, and a report now and then. */
static int raise_descriptors(size_t hosts, struct error *err)
{
    struct rlimit limit;
    rlim_t wanted = 2 * hosts + 256;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= wanted)
        return 0;
    limit.rlim_cur = wanted;
    if (limit.rlim_max < wanted)
        limit.rlim_max = wanted; /* root may */
    if (setrlimit(RLIMIT_NOFILE, &limit) == 0)
        return 0;
    error_fill(err, ERROR_INVALID, 0, "hosts",
               "%zu hosts need %zu descriptors, more than this process may "
               "open",
               hosts, (size_t)wanted);
    error_remedy(err, "raise the limit (ulimit -n %zu) or ask for fewer hosts",
                 (size_t)wanted);
    return -1;
}

static void tell(struct fleet *fleet, int64_t now, bool *told, int64_t *next)
{
    const struct fleet_config *config = &fleet->config;
    if (*told)
        return;
    const size_t *stages = fleet->stages;
    if (config->progress && now >= *next) {
        *next = now + PROGRESS_NS;
        config->progress(config->hosts - stages[MEMBER_ENROLLING],
                         stages[MEMBER_SETTING] + stages[MEMBER_READY],
                         stages[MEMBER_READY], config->hosts);
    }
    if (stages[MEMBER_READY] == config->hosts) {
        *told = true;
        config->ready(config->hosts);
    }
}

static void loop(struct fleet *fleet)
{
    bool told = false;
    int64_t next_progress = 0;
    while (!stopping && !fleet->failed) {
        int64_t now = timestamp_now();
        int64_t wake = now + (told ? IDLE_MS : TICK_MS) * TIMESTAMP_MS;
        for (size_t i = 0; i < fleet->config.hosts; i++) {
            struct member *member = &fleet->members[i];
            member_step(member, now);
            if (member->agent && member->wake < wake)
                wake = member->wake;
        }
        tell(fleet, now, &told, &next_progress);
        int64_t wait = (wake - timestamp_now()) / TIMESTAMP_MS;
        client_multi_run(fleet->multi, -1, wait > 0 ? (int)wait : 0);
    }
}

static int start(struct fleet *fleet, struct error *err)
{
    const struct fleet_config *config = &fleet->config;
    const struct client_config line = {
        .server = config->server,
        .token_file = config->token_file,
        .user_agent = "sriov-fleet/" SRIOV_VERSION,
    };
    if (raise_descriptors(config->hosts, err) < 0)
        return -1;
    fleet->multi = client_multi_new(&line, err);
    if (!fleet->multi)
        return -1;
    fleet->members = mem_calloc(config->hosts, sizeof *fleet->members);
    for (size_t i = 0; i < config->hosts; i++) {
        if (member_init(&fleet->members[i], fleet, i, err) < 0)
            return -1;
    }
    return 0;
}

int fleet_run(const struct fleet_config *config, struct error *err)
{
    struct fleet fleet = {.config = *config};
    int status = start(&fleet, err);
    if (status == 0) {
        atomic_store(&current, fleet.multi);
        loop(&fleet);
        atomic_store(&current, NULL);
        if (fleet.failed) {
            if (err)
                *err = fleet.err;
            status = -1;
        }
    }
    client_multi_free(fleet.multi);
    for (size_t i = 0; fleet.members && i < config->hosts; i++)
        member_done(&fleet.members[i]);
    free(fleet.members);
    return status;
}

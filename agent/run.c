/* SPDX-License-Identifier: Apache-2.0 */
/* The loop of sriov-agent: one thread, one engine, one uplink, and the host's
 * events. */
#include "agent/run.h"

#include "agent/uplink.h"
#include "common/base/str.h"
#include "common/base/timestamp.h"

#include <signal.h>
#include <stdatomic.h>
#include <string.h>

#define WAIT_MAX_MS 60000
#define OWN_ADDRESS_SIZE 46 /* INET6_ADDRSTRLEN */

static volatile sig_atomic_t stopping;
/* Lock-free, so that the signal handler may load it. */
static _Atomic(struct client_multi *) current;

void run_stop(void)
{
    stopping = 1;
    struct client_multi *multi = atomic_load(&current);
    if (multi)
        client_multi_wakeup(multi);
}

int64_t run_clock_now(struct run_clock *clock)
{
    int64_t monotonic = timestamp_monotonic();
    int64_t offset = timestamp_now() - monotonic;
    if (offset > clock->offset || clock->offset == 0)
        clock->offset = offset;
    return monotonic + clock->offset;
}

/* Milliseconds to sleep, rounded up, so as not to wake just before. */
static int wait_ms(int64_t now, int64_t wake)
{
    if (wake <= now)
        return 0;
    if (wake - now > WAIT_MAX_MS * TIMESTAMP_MS)
        return WAIT_MAX_MS;
    return (int)((wake - now + TIMESTAMP_MS - 1) / TIMESTAMP_MS);
}

static void loop(struct agent *agent, struct uplink *uplink,
                 struct client_multi *multi, struct host_backend *host)
{
    struct run_clock clock = {0};
    int fd = host->ops->event_fd(host);
    while (!stopping) {
        int64_t now = run_clock_now(&clock);
        int64_t wake = agent_step(agent, now);
        int64_t line = uplink_step(uplink, now);
        if (line < wake)
            wake = line;
        if (client_multi_run(multi, fd, wait_ms(now, wake)))
            agent_host_events(agent);
    }
}

/* What the loop and the uplink's answers share. */
struct line {
    const struct run_config *config;
    struct agent *agent;
    struct client_multi *multi;
    char own_address[OWN_ADDRESS_SIZE];
};

/* The way to the scheduler is the host's own traffic, so which PF carries it
 * must be read anew when the way changes. */
static void on_answer(void *context)
{
    struct line *line = context;
    const char *address = client_multi_own_address(line->multi);
    if (!line->config->own_address || strcmp(address, line->own_address) == 0)
        return;
    str_copy(line->own_address, address);
    line->config->own_address(line->config->agent.host, address);
    const struct host_changes changes = {.host_facts = true};
    agent_host_changed(line->agent, &changes);
}

int run_agent(const struct run_config *config, struct error *err)
{
    const struct client_config client = {
        .server = config->server,
        .token_file = config->token_file,
        .user_agent = "sriov-agent/" SRIOV_VERSION,
    };
    struct client_multi *multi = client_multi_new(&client, err);
    if (!multi)
        return -1;
    struct agent *agent = agent_new(&config->agent, err);
    if (!agent) {
        client_multi_free(multi);
        return -1;
    }
    struct line line = {.config = config, .agent = agent, .multi = multi};
    const struct uplink_config uplink_config = {
        .agent = agent,
        .multi = multi,
        .answered = on_answer,
        .context = &line,
        .name = config->agent.name,
        .seed = config->agent.seed,
    };
    struct uplink *uplink = uplink_new(&uplink_config);
    atomic_store(&current, multi);
    loop(agent, uplink, multi, config->agent.host);
    atomic_store(&current, NULL);
    client_multi_free(multi);
    uplink_free(uplink);
    agent_free(agent);
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The loop of sriov-agent: one thread, one engine, one uplink, and the host's
 * events. */
#include "agent/run.h"

#include "agent/hook.h"
#include "agent/uplink.h"
#include "common/base/str.h"
#include "common/base/timestamp.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/epoll.h>

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

/* What the loop waits for beside the uplink: the host's events and the hook, as
 * one descriptor. */
struct inputs {
    int epoll_fd;
    int host_fd;
    struct hook_server *hook; /* NULL = none */
};

static void watch(int epoll_fd, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    if (fd >= 0)
        epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event);
}

static int inputs_open(struct inputs *inputs, struct host_backend *host,
                       struct hook_server *hook, struct error *err)
{
    inputs->hook = hook;
    inputs->host_fd = host->ops->event_fd(host);
    inputs->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (inputs->epoll_fd < 0)
        return error_set_sys(err, errno, "watch the host's events");
    watch(inputs->epoll_fd, inputs->host_fd);
    if (hook)
        watch(inputs->epoll_fd, hook_server_fd(hook));
    return 0;
}

static bool host_has_events(const struct inputs *inputs)
{
    struct epoll_event events[2];
    int count = epoll_wait(inputs->epoll_fd, events, 2, 0);
    bool has = false;
    for (int i = 0; i < count; i++)
        has |= events[i].data.fd == inputs->host_fd;
    return has;
}

static int64_t step(struct agent *agent, struct uplink *uplink,
                    struct hook_server *hook, int64_t now)
{
    int64_t guard = hook ? hook_server_guard(hook, now) : INT64_MAX;
    int64_t wake = agent_step(agent, now);
    int64_t line = uplink_step(uplink, now);
    int64_t asked = hook ? hook_server_step(hook, now) : INT64_MAX;
    if (guard < wake)
        wake = guard;
    if (asked < wake)
        wake = asked;
    return line < wake ? line : wake;
}

static void loop(struct agent *agent, struct uplink *uplink,
                 struct client_multi *multi, const struct inputs *inputs)
{
    struct run_clock clock = {0};
    while (!stopping) {
        int64_t now = run_clock_now(&clock);
        int64_t wake = step(agent, uplink, inputs->hook, now);
        if (client_multi_run(multi, inputs->epoll_fd, wait_ms(now, wake)) &&
            host_has_events(inputs))
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

static struct hook_server *open_hook(const struct run_config *config,
                                     struct agent *agent)
{
    const struct hook_config hook = {.agent = agent,
                                     .path = config->hook_socket,
                                     .guarded = config->hook_guarded,
                                     .adopt = config->hook_adopt};
    return config->hook_socket ? hook_server_new(&hook) : NULL;
}

static int run_with(const struct run_config *config, struct agent *agent,
                    struct client_multi *multi, struct error *err)
{
    struct inputs inputs = {.epoll_fd = -1};
    struct hook_server *hook = open_hook(config, agent);
    int status = inputs_open(&inputs, config->agent.host, hook, err);
    if (status == 0) {
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
        loop(agent, uplink, multi, &inputs);
        atomic_store(&current, NULL);
        client_multi_free(multi);
        uplink_free(uplink);
        close(inputs.epoll_fd);
    } else {
        client_multi_free(multi);
    }
    hook_server_free(hook);
    return status;
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
    int status = run_with(config, agent, multi, err);
    agent_free(agent);
    return status;
}

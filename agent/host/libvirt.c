/* SPDX-License-Identifier: Apache-2.0 */
/* The agent's side of the connection to libvirt: see libvirt.h. Nothing here
 * waits for libvirt. */
#define LOG_MODULE "libvirt"
#include "agent/host/libvirt_parts.h"
#include "common/base/log.h"
#include "common/base/str.h"
#include "common/base/timestamp.h"

#include <errno.h>
#include <libvirt/virterror.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define RETRY_MIN_MS 1000
#define RETRY_MAX_MS 30000
#define DEADLINE_MS 10000
#define AUDIT_MS 60000
#define ORDER_DEADLINE_MS 60000
#define JOIN_S 2

static atomic_flag is_open = ATOMIC_FLAG_INIT;

void libvirt_signal(int fd)
{
    uint64_t one = 1;
    /* Full means that it is readable already. */
    ssize_t ignored = write(fd, &one, sizeof one);
    (void)ignored;
}

void libvirt_wake(struct libvirt *libvirt, unsigned changed)
{
    atomic_fetch_or(&libvirt->changed, changed);
    libvirt_signal(libvirt->wake_fd);
}

/* ---- opening and closing ---------------------------------------------------- */

static void be_quiet(void *context, virErrorPtr err)
{
    (void)context;
    (void)err;
}

static void status_release(void *object)
{
    free(object);
}

struct libvirt_status *libvirt_status_new(enum libvirt_state state)
{
    struct libvirt_status *status = mem_new(struct libvirt_status);
    ref_init(&status->ref, status_release);
    status->state = state;
    return status;
}

static void destroy(struct libvirt *libvirt)
{
    mem_close_p(&libvirt->epoll_fd);
    mem_close_p(&libvirt->wake_fd);
    mem_close_p(&libvirt->alarm_fd);
    mem_close_p(&libvirt->work_fd);
    pthread_mutex_destroy(&libvirt->lock);
    ref_put(libvirt->status);
    ref_put(libvirt->domains);
    free(libvirt->uri);
    free(libvirt);
}

static bool watch(const struct libvirt *libvirt, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    return epoll_ctl(libvirt->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0;
}

static bool open_descriptors(struct libvirt *libvirt)
{
    libvirt->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    libvirt->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    libvirt->work_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    libvirt->alarm_fd =
        timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    return libvirt->epoll_fd >= 0 && libvirt->wake_fd >= 0 &&
           libvirt->work_fd >= 0 && libvirt->alarm_fd >= 0 &&
           watch(libvirt, libvirt->wake_fd) &&
           watch(libvirt, libvirt->alarm_fd) &&
           watch(libvirt, libvirt_orders_fd(libvirt->orders));
}

static void *run_loop(void *context)
{
    (void)context;
    while (virEventRunDefaultImpl() == 0)
        ;
    /* GLib's loop does not fail. Without it, no event and no keepalive: what
     * changes is found by reading all. */
    log_error("libvirt's event loop failed: %s", virGetLastErrorMessage());
    return NULL;
}

/* Once a process; a second event loop would be refused. */
static int loop_failed;
static void start_loop(void)
{
    pthread_t thread;
    virSetErrorFunc(NULL, be_quiet);
    loop_failed = virEventRegisterDefaultImpl() < 0 ? ENOMEM : 0;
    if (!loop_failed)
        loop_failed = pthread_create(&thread, NULL, run_loop, NULL);
    if (!loop_failed)
        pthread_detach(thread);
}

/* Threads that take no signals: they are the agent's. */
static int start(struct libvirt *libvirt)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_once(&once, start_loop);
    int number = loop_failed ? loop_failed
                             : pthread_create(&libvirt->thread, NULL,
                                              libvirt_work, libvirt);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return number;
}

static unsigned preset(unsigned given, unsigned usual)
{
    return given ? given : usual;
}

static struct libvirt *libvirt_new(const struct libvirt_config *config,
                                   struct libvirt_orders *orders)
{
    struct libvirt *libvirt = mem_new(struct libvirt);
    libvirt->uri = mem_strdup(config->uri);
    libvirt->retry_min_ms = libvirt->retry_ms =
        preset(config->retry_min_ms, RETRY_MIN_MS);
    libvirt->retry_max_ms = preset(config->retry_max_ms, RETRY_MAX_MS);
    libvirt->deadline_ms = preset(config->deadline_ms, DEADLINE_MS);
    libvirt->audit_ms = preset(config->audit_ms, AUDIT_MS);
    libvirt->epoll_fd = libvirt->wake_fd = libvirt->work_fd =
        libvirt->alarm_fd = -1;
    libvirt->orders = orders;
    libvirt->status = libvirt_status_new(LIBVIRT_CONNECTING);
    pthread_mutex_init(&libvirt->lock, NULL);
    return libvirt;
}

struct libvirt *libvirt_open(const struct libvirt_config *config,
                             struct error *err)
{
    if (atomic_flag_test_and_set(&is_open)) {
        error_fill(err, ERROR_IN_USE, 0, "", "libvirt is connected already");
        return NULL;
    }
    struct libvirt_orders *orders = libvirt_orders_new(
        preset(config->order_deadline_ms, ORDER_DEADLINE_MS), err);
    if (!orders) {
        atomic_flag_clear(&is_open);
        return NULL;
    }
    struct libvirt *libvirt = libvirt_new(config, orders);
    int number = open_descriptors(libvirt) ? 0 : errno;
    if (!number)
        number = start(libvirt);
    if (number) {
        error_fill_sys(err, number, "begin to talk to libvirt");
        libvirt_orders_free(orders, 0);
        destroy(libvirt);
        atomic_flag_clear(&is_open);
        return NULL;
    }
    return libvirt;
}

void libvirt_close(struct libvirt *libvirt)
{
    if (!libvirt)
        return;
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += JOIN_S;
    bool ended = libvirt_orders_free(libvirt->orders, JOIN_S * 1000);
    atomic_store(&libvirt->stopping, true);
    libvirt_signal(libvirt->work_fd);
    if (pthread_timedjoin_np(libvirt->thread, NULL, &until) != 0) {
        pthread_detach(libvirt->thread);
        ended = false;
    } else if (ended) {
        destroy(libvirt);
    }
    if (ended)
        atomic_flag_clear(&is_open);
    else
        log_warning("libvirt does not answer; ending without it");
}

/* ---- what is known ----------------------------------------------------------- */

int libvirt_fd(const struct libvirt *libvirt)
{
    return libvirt->epoll_fd;
}

unsigned libvirt_changed(struct libvirt *libvirt)
{
    uint64_t count = 0;
    unsigned changed = 0;
    if (read(libvirt->wake_fd, &count, sizeof count) > 0)
        changed = atomic_exchange(&libvirt->changed, 0);
    if (read(libvirt->alarm_fd, &count, sizeof count) > 0)
        changed |= LIBVIRT_CHANGED_STATUS | LIBVIRT_CHANGED_DOMAINS;
    if (libvirt_orders_drain(libvirt->orders))
        changed |= LIBVIRT_CHANGED_DOMAINS;
    return changed;
}

/* Does a call of the worker's wait for longer than it should? */
static bool is_silent(struct libvirt *libvirt, char words[64])
{
    int64_t since = atomic_load(&libvirt->call_since);
    if (!since || timestamp_monotonic() - since <
                      (int64_t)libvirt->deadline_ms * TIMESTAMP_MS)
        return false;
    snprintf(words, 64, "libvirt has not answered for more than %u s",
             (libvirt->deadline_ms + 999) / 1000);
    return true;
}

struct libvirt_status *libvirt_status(struct libvirt *libvirt)
{
    char words[64];
    if (is_silent(libvirt, words)) {
        struct libvirt_status *status =
            libvirt_status_new(LIBVIRT_DISCONNECTED);
        str_copy(status->error, words);
        return status;
    }
    pthread_mutex_lock(&libvirt->lock);
    struct libvirt_status *status = ref_get(libvirt->status);
    pthread_mutex_unlock(&libvirt->lock);
    return status;
}

/* Why nothing is known or can be ordered. */
static void fill_why(struct libvirt *libvirt, struct error *err)
{
    auto_libvirt_status struct libvirt_status *status = libvirt_status(libvirt);
    const char *why = status->error;
    if (status->state == LIBVIRT_CONNECTED)
        why = *status->domains_error ? status->domains_error
                                     : "libvirt has not told its domains yet";
    else if (status->state == LIBVIRT_CONNECTING)
        why = "libvirt has not answered yet";
    error_fill(err, ERROR_AGAIN, 0, "", "%s", why);
    error_remedy(err, "look at the host's readiness check 'libvirt'");
}

struct domain_list *libvirt_domains(struct libvirt *libvirt, struct error *err)
{
    char words[64];
    struct domain_list *domains = NULL;
    if (!is_silent(libvirt, words)) {
        pthread_mutex_lock(&libvirt->lock);
        domains = ref_get(libvirt->domains);
        pthread_mutex_unlock(&libvirt->lock);
    }
    if (!domains)
        fill_why(libvirt, err);
    return domains;
}

/* The lock keeps the connection from being closed until the order, if it begins,
 * has a reference of its own. */
int libvirt_order(struct libvirt *libvirt, const struct domain_order *order,
                  struct error *err)
{
    char words[64];
    struct error why = {0};
    bool silent = is_silent(libvirt, words);
    fill_why(libvirt, &why);
    pthread_mutex_lock(&libvirt->lock);
    bool connected = libvirt->connection && !silent;
    int result = libvirt_orders_give(libvirt->orders,
                                     connected ? libvirt->connection : NULL,
                                     &why, order, err);
    pthread_mutex_unlock(&libvirt->lock);
    return result;
}

void libvirt_wait(struct libvirt *libvirt, int ms)
{
    int64_t until = timestamp_monotonic() + ms * TIMESTAMP_MS;
    for (;;) {
        auto_libvirt_status struct libvirt_status *status =
            libvirt_status(libvirt);
        int64_t left = until - timestamp_monotonic();
        if (status->state != LIBVIRT_CONNECTING || left <= 0)
            return;
        struct pollfd fd = {.fd = libvirt->epoll_fd, .events = POLLIN};
        poll(&fd, 1, (int)(left / TIMESTAMP_MS) + 1);
        libvirt_changed(libvirt);
    }
}

const char *libvirt_version_text(unsigned long version, char text[32])
{
    text[0] = '\0';
    if (version)
        snprintf(text, 32, "%lu.%lu.%lu", version / 1000000,
                 version / 1000 % 1000, version % 1000);
    return text;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The worker that talks to libvirt: see libvirt.h. Everything between
 * work() and the end of the section runs in the worker only. */
#define LOG_MODULE "libvirt"
#include "agent/host/libvirt.h"

#include "common/base/log.h"
#include "common/base/str.h"
#include "common/base/timestamp.h"

#include <errno.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define RETRY_MIN_MS 1000
#define RETRY_MAX_MS 30000
#define DEADLINE_MS 10000
#define KEEPALIVE_S 5
#define KEEPALIVE_TRIES 3
/* QEMU can be updated while libvirt runs. */
#define VERSIONS_MS 300000
#define JOIN_S 2

struct libvirt {
    char *uri;
    unsigned retry_min_ms, retry_max_ms, deadline_ms;
    pthread_t thread;
    /* For the agent's loop: 'wake' when a status was published, 'alarm' when a
     * call passed its deadline; both below 'epoll'. */
    int epoll_fd, wake_fd, alarm_fd;
    /* For the worker. */
    int stop_fd;
    _Atomic bool stopping;
    /* When the call that is under way began (monotonic ns), 0 = none is. */
    _Atomic int64_t call_since;
    pthread_mutex_t lock; /* guards 'status', the pointer */
    struct libvirt_status *status;

    /* The worker's own. */
    virConnectPtr connection;
    bool lost;
    char lost_why[64];
    int stop_watch, timer;
    unsigned retry_ms;
    bool due; /* the timer went off */
};

static atomic_flag is_open = ATOMIC_FLAG_INIT;

/* ---- publishing ------------------------------------------------------------- */

static void status_release(void *object)
{
    free(object);
}

static struct libvirt_status *status_new(enum libvirt_state state)
{
    struct libvirt_status *status = mem_new(struct libvirt_status);
    ref_init(&status->ref, status_release);
    status->state = state;
    return status;
}

static bool status_same(const struct libvirt_status *a,
                        const struct libvirt_status *b)
{
    return a->state == b->state && a->version == b->version &&
           a->hypervisor_version == b->hypervisor_version &&
           strcmp(a->driver, b->driver) == 0 && strcmp(a->error, b->error) == 0;
}

static void signal_fd(int fd)
{
    uint64_t one = 1;
    /* Full means that it is readable already. */
    ssize_t ignored = write(fd, &one, sizeof one);
    (void)ignored;
}

/* Takes the record over. */
static void publish(struct libvirt *libvirt, struct libvirt_status *status)
{
    pthread_mutex_lock(&libvirt->lock);
    struct libvirt_status *before = libvirt->status;
    libvirt->status = status;
    bool same = status_same(before, status);
    pthread_mutex_unlock(&libvirt->lock);
    ref_put(before);
    if (!same)
        signal_fd(libvirt->wake_fd);
}

/* ---- the worker ---------------------------------------------------------------- */

static void set_alarm(const struct libvirt *libvirt, unsigned ms)
{
    struct itimerspec at = {
        .it_value = {.tv_sec = ms / 1000,
                     .tv_nsec = (long)(ms % 1000) * 1000000}};
    timerfd_settime(libvirt->alarm_fd, 0, &at, NULL);
}

/* Around calls that wait for libvirt's answer. */
static void call_begin(struct libvirt *libvirt)
{
    atomic_store(&libvirt->call_since, timestamp_monotonic());
    set_alarm(libvirt, libvirt->deadline_ms);
}

/* One that came too late is told as silent until this wakes the loop. */
static void call_end(struct libvirt *libvirt)
{
    int64_t since = atomic_exchange(&libvirt->call_since, 0);
    set_alarm(libvirt, 0);
    if (timestamp_monotonic() - since >=
        (int64_t)libvirt->deadline_ms * TIMESTAMP_MS)
        signal_fd(libvirt->wake_fd);
}

static void be_quiet(void *context, virErrorPtr err)
{
    (void)context;
    (void)err;
}

static void on_stop(int watch, int fd, int events, void *context)
{
    (void)watch;
    (void)events;
    (void)context;
    uint64_t count = 0;
    ssize_t ignored = read(fd, &count, sizeof count);
    (void)ignored;
}

static void on_timer(int timer, void *context)
{
    struct libvirt *libvirt = context;
    libvirt->due = true;
    virEventUpdateTimeout(timer, -1);
}

static void on_close(virConnectPtr connection, int reason, void *context)
{
    static const char *const words[] = {
        [VIR_CONNECT_CLOSE_REASON_ERROR] = "the connection broke",
        [VIR_CONNECT_CLOSE_REASON_EOF] = "libvirt ended the connection",
        [VIR_CONNECT_CLOSE_REASON_KEEPALIVE] = "libvirt has fallen silent",
        [VIR_CONNECT_CLOSE_REASON_CLIENT] = "the connection was closed",
    };
    struct libvirt *libvirt = context;
    (void)connection;
    libvirt->lost = true;
    bool known = reason >= 0 && (size_t)reason < sizeof words / sizeof *words;
    str_copy(libvirt->lost_why, known ? words[reason] : words[0]);
}

static void disconnect(struct libvirt *libvirt)
{
    if (!libvirt->connection)
        return;
    virConnectUnregisterCloseCallback(libvirt->connection, on_close);
    virConnectClose(libvirt->connection);
    libvirt->connection = NULL;
}

/* Forget the connection and say why; the next try comes later. */
static void give_up(struct libvirt *libvirt, const char *why)
{
    disconnect(libvirt);
    libvirt->lost = false;
    struct libvirt_status *status = status_new(LIBVIRT_DISCONNECTED);
    str_copy(status->error, why && *why ? why : "libvirt gives no reason");
    if (libvirt->status->state != LIBVIRT_DISCONNECTED)
        log_warning("'%s': %s; trying again", libvirt->uri, status->error);
    publish(libvirt, status);
    virEventUpdateTimeout(libvirt->timer, (int)libvirt->retry_ms);
    libvirt->retry_ms = libvirt->retry_ms > libvirt->retry_max_ms / 2
                            ? libvirt->retry_max_ms
                            : libvirt->retry_ms * 2;
}

/* Ask who answers; false: the connection is no good. */
static bool read_versions(struct libvirt *libvirt)
{
    struct libvirt_status *status = status_new(LIBVIRT_CONNECTED);
    call_begin(libvirt);
    const char *driver = virConnectGetType(libvirt->connection);
    bool good = driver && virConnectGetLibVersion(libvirt->connection,
                                                  &status->version) == 0;
    /* libvirt without a QEMU has no version to tell. */
    if (good && virConnectGetVersion(libvirt->connection,
                                     &status->hypervisor_version) < 0)
        status->hypervisor_version = 0;
    call_end(libvirt);
    if (!good) {
        ref_put(status);
        return false;
    }
    str_copy(status->driver, driver);
    if (libvirt->status->state != LIBVIRT_CONNECTED) {
        char version[32];
        char hypervisor[32];
        log_info("'%s': libvirt %s, %s %s", libvirt->uri,
                 libvirt_version_text(status->version, version), driver,
                 libvirt_version_text(status->hypervisor_version, hypervisor));
    }
    publish(libvirt, status);
    virEventUpdateTimeout(libvirt->timer, VERSIONS_MS);
    return true;
}

static void try_to_connect(struct libvirt *libvirt)
{
    call_begin(libvirt);
    libvirt->connection = virConnectOpen(libvirt->uri);
    call_end(libvirt);
    if (!libvirt->connection) {
        give_up(libvirt, virGetLastErrorMessage());
        return;
    }
    /* Drivers without a daemon ("test") have neither and need neither. */
    virConnectRegisterCloseCallback(libvirt->connection, on_close, libvirt,
                                    NULL);
    virConnectSetKeepAlive(libvirt->connection, KEEPALIVE_S, KEEPALIVE_TRIES);
    if (!read_versions(libvirt)) {
        give_up(libvirt, virGetLastErrorMessage());
        return;
    }
    libvirt->retry_ms = libvirt->retry_min_ms;
}

static void *work(void *argument)
{
    struct libvirt *libvirt = argument;
    libvirt->stop_watch = virEventAddHandle(
        libvirt->stop_fd, VIR_EVENT_HANDLE_READABLE, on_stop, NULL, NULL);
    libvirt->timer = virEventAddTimeout(-1, on_timer, libvirt, NULL);
    try_to_connect(libvirt);
    while (!atomic_load(&libvirt->stopping)) {
        if (virEventRunDefaultImpl() < 0) {
            give_up(libvirt, "libvirt's event loop failed");
            break;
        }
        if (libvirt->lost)
            give_up(libvirt, libvirt->lost_why);
        if (!libvirt->due)
            continue;
        libvirt->due = false;
        if (!libvirt->connection)
            try_to_connect(libvirt);
        else if (!read_versions(libvirt))
            give_up(libvirt, virGetLastErrorMessage());
    }
    disconnect(libvirt);
    virEventRemoveHandle(libvirt->stop_watch);
    /* What was removed is freed by the loop's next turn. */
    virEventUpdateTimeout(libvirt->timer, 0);
    virEventRunDefaultImpl();
    virEventRemoveTimeout(libvirt->timer);
    return NULL;
}

/* ---- the agent's side ------------------------------------------------------------ */

static void destroy(struct libvirt *libvirt)
{
    mem_close_p(&libvirt->epoll_fd);
    mem_close_p(&libvirt->wake_fd);
    mem_close_p(&libvirt->alarm_fd);
    mem_close_p(&libvirt->stop_fd);
    pthread_mutex_destroy(&libvirt->lock);
    ref_put(libvirt->status);
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
    libvirt->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    libvirt->alarm_fd =
        timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    return libvirt->epoll_fd >= 0 && libvirt->wake_fd >= 0 &&
           libvirt->stop_fd >= 0 && libvirt->alarm_fd >= 0 &&
           watch(libvirt, libvirt->wake_fd) &&
           watch(libvirt, libvirt->alarm_fd);
}

/* Once a process; a second event loop would be refused. */
static void register_loop(void)
{
    virSetErrorFunc(NULL, be_quiet);
    virEventRegisterDefaultImpl();
}

/* The worker takes no signals: they are the agent's. */
static int start(struct libvirt *libvirt)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    sigset_t all;
    sigset_t before;
    pthread_once(&once, register_loop);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int number = pthread_create(&libvirt->thread, NULL, work, libvirt);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return number;
}

struct libvirt *libvirt_open(const struct libvirt_config *config,
                             struct error *err)
{
    if (atomic_flag_test_and_set(&is_open)) {
        error_fill(err, ERROR_IN_USE, 0, "", "libvirt is connected already");
        return NULL;
    }
    struct libvirt *libvirt = mem_new(struct libvirt);
    libvirt->uri = mem_strdup(config->uri);
    libvirt->retry_min_ms = libvirt->retry_ms =
        config->retry_min_ms ? config->retry_min_ms : RETRY_MIN_MS;
    libvirt->retry_max_ms =
        config->retry_max_ms ? config->retry_max_ms : RETRY_MAX_MS;
    libvirt->deadline_ms =
        config->deadline_ms ? config->deadline_ms : DEADLINE_MS;
    libvirt->epoll_fd = libvirt->wake_fd = libvirt->stop_fd =
        libvirt->alarm_fd = -1;
    libvirt->status = status_new(LIBVIRT_CONNECTING);
    pthread_mutex_init(&libvirt->lock, NULL);
    int number = open_descriptors(libvirt) ? 0 : errno;
    if (!number)
        number = start(libvirt);
    if (number) {
        error_fill_sys(err, number, "begin to talk to libvirt");
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
    atomic_store(&libvirt->stopping, true);
    signal_fd(libvirt->stop_fd);
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += JOIN_S;
    if (pthread_timedjoin_np(libvirt->thread, NULL, &until) != 0) {
        log_warning("'%s' does not answer; ending without it", libvirt->uri);
        pthread_detach(libvirt->thread);
        return;
    }
    destroy(libvirt);
    atomic_flag_clear(&is_open);
}

int libvirt_fd(const struct libvirt *libvirt)
{
    return libvirt->epoll_fd;
}

bool libvirt_changed(struct libvirt *libvirt)
{
    uint64_t count = 0;
    bool woken = read(libvirt->wake_fd, &count, sizeof count) > 0;
    bool late = read(libvirt->alarm_fd, &count, sizeof count) > 0;
    return woken || late;
}

struct libvirt_status *libvirt_status(struct libvirt *libvirt)
{
    int64_t since = atomic_load(&libvirt->call_since);
    if (since && timestamp_monotonic() - since >=
                     (int64_t)libvirt->deadline_ms * TIMESTAMP_MS) {
        struct libvirt_status *status = status_new(LIBVIRT_DISCONNECTED);
        snprintf(status->error, sizeof status->error,
                 "libvirt has not answered for more than %u s",
                 (libvirt->deadline_ms + 999) / 1000);
        return status;
    }
    pthread_mutex_lock(&libvirt->lock);
    struct libvirt_status *status = ref_get(libvirt->status);
    pthread_mutex_unlock(&libvirt->lock);
    return status;
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

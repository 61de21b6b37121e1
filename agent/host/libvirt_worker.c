/* SPDX-License-Identifier: Apache-2.0 */
/* The worker that owns the connection to libvirt and calls it: see libvirt.h.
 * Everything here runs in the worker. */
#define LOG_MODULE "libvirt"
#include "agent/host/libvirt_parts.h"
#include "common/base/log.h"
#include "common/base/str.h"
#include "common/base/timestamp.h"

#include <libvirt/virterror.h>
#include <poll.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define KEEPALIVE_S 5
#define KEEPALIVE_TRIES 3
/* QEMU can be updated while libvirt runs. */
#define VERSIONS_MS 300000

/* ---- publishing ------------------------------------------------------------- */

static bool status_same(const struct libvirt_status *a,
                        const struct libvirt_status *b)
{
    return a->state == b->state && a->version == b->version &&
           a->hypervisor_version == b->hypervisor_version &&
           strcmp(a->driver, b->driver) == 0 &&
           strcmp(a->error, b->error) == 0 &&
           strcmp(a->domains_error, b->domains_error) == 0;
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
        libvirt_wake(libvirt, LIBVIRT_CHANGED_STATUS);
}

void libvirt_tell_domains(struct libvirt *libvirt, const char *why)
{
    const struct libvirt_status *now = libvirt->status;
    if (now->state != LIBVIRT_CONNECTED || strcmp(now->domains_error, why) == 0)
        return;
    struct libvirt_status *status = libvirt_status_new(LIBVIRT_CONNECTED);
    str_copy(status->driver, now->driver);
    status->version = now->version;
    status->hypervisor_version = now->hypervisor_version;
    str_copy(status->domains_error, why);
    if (*why)
        log_warning("'%s': %s; trying again", libvirt->uri, why);
    publish(libvirt, status);
}

static void set_alarm(const struct libvirt *libvirt, unsigned ms)
{
    struct itimerspec at = {
        .it_value = {.tv_sec = ms / 1000,
                     .tv_nsec = (long)(ms % 1000) * 1000000}};
    timerfd_settime(libvirt->alarm_fd, 0, &at, NULL);
}

void libvirt_call_begin(struct libvirt *libvirt)
{
    atomic_store(&libvirt->call_since, timestamp_monotonic());
    set_alarm(libvirt, libvirt->deadline_ms);
}

/* One that came too late is told as silent until this wakes the loop. */
void libvirt_call_end(struct libvirt *libvirt)
{
    int64_t since = atomic_exchange(&libvirt->call_since, 0);
    set_alarm(libvirt, 0);
    if (timestamp_monotonic() - since >=
        (int64_t)libvirt->deadline_ms * TIMESTAMP_MS)
        libvirt_wake(libvirt, LIBVIRT_CHANGED_STATUS | LIBVIRT_CHANGED_DOMAINS);
}

/* ---- the connection ------------------------------------------------------------- */

static void set_connection(struct libvirt *libvirt, virConnectPtr connection)
{
    pthread_mutex_lock(&libvirt->lock);
    libvirt->connection = connection;
    pthread_mutex_unlock(&libvirt->lock);
}

static void call_in(struct libvirt *libvirt, unsigned ms)
{
    libvirt->next_call = timestamp_monotonic() + ms * TIMESTAMP_MS;
}

/* Orders that still wait on it keep it until libvirt has ended their calls. */
static void disconnect(struct libvirt *libvirt)
{
    virConnectPtr connection = libvirt->connection;
    libvirt_domains_end(libvirt);
    if (!connection)
        return;
    set_connection(libvirt, NULL);
    virConnectClose(connection);
    ref_put(libvirt->session);
    libvirt->session = NULL;
}

/* Forget the connection and say why; the next try comes later. */
static void give_up(struct libvirt *libvirt, const char *why)
{
    struct libvirt_status *status = libvirt_status_new(LIBVIRT_DISCONNECTED);
    str_copy(status->error, why && *why ? why : "libvirt gives no reason");
    if (libvirt->status->state != LIBVIRT_DISCONNECTED)
        log_warning("'%s': %s; trying again", libvirt->uri, status->error);
    /* First: closing may wait for libvirt. */
    publish(libvirt, status);
    disconnect(libvirt);
    call_in(libvirt, libvirt->retry_ms);
    libvirt->retry_ms = libvirt->retry_ms > libvirt->retry_max_ms / 2
                            ? libvirt->retry_max_ms
                            : libvirt->retry_ms * 2;
}

/* Ask who answers; false: the connection is no good. */
static bool read_versions(struct libvirt *libvirt, virConnectPtr connection)
{
    struct libvirt_status *status = libvirt_status_new(LIBVIRT_CONNECTED);
    libvirt_call_begin(libvirt);
    const char *driver = virConnectGetType(connection);
    bool good =
        driver && virConnectGetLibVersion(connection, &status->version) == 0;
    /* libvirt without a QEMU has no version to tell. */
    if (good &&
        virConnectGetVersion(connection, &status->hypervisor_version) < 0)
        status->hypervisor_version = 0;
    libvirt_call_end(libvirt);
    if (!good) {
        ref_put(status);
        return false;
    }
    str_copy(status->driver, driver);
    str_copy(status->domains_error, libvirt->status->domains_error);
    if (libvirt->status->state != LIBVIRT_CONNECTED) {
        char version[32];
        char hypervisor[32];
        log_info("'%s': libvirt %s, %s %s", libvirt->uri,
                 libvirt_version_text(status->version, version), driver,
                 libvirt_version_text(status->hypervisor_version, hypervisor));
    }
    publish(libvirt, status);
    call_in(libvirt, VERSIONS_MS);
    return true;
}

static void try_to_connect(struct libvirt *libvirt)
{
    libvirt_call_begin(libvirt);
    virConnectPtr connection = virConnectOpen(libvirt->uri);
    libvirt_call_end(libvirt);
    if (!connection) {
        give_up(libvirt, virGetLastErrorMessage());
        return;
    }
    set_connection(libvirt, connection);
    libvirt->session = libvirt_session_new(libvirt->work_fd);
    libvirt_call_begin(libvirt);
    /* Drivers without a daemon ("test") need none. */
    virConnectSetKeepAlive(connection, KEEPALIVE_S, KEEPALIVE_TRIES);
    libvirt_session_register(libvirt->session, connection, libvirt->uri);
    libvirt_call_end(libvirt);
    if (!read_versions(libvirt, connection)) {
        give_up(libvirt, virGetLastErrorMessage());
        return;
    }
    libvirt->retry_ms = libvirt->retry_min_ms;
}

static void take_turn(struct libvirt *libvirt)
{
    char why[256] = "";
    if (libvirt->session && libvirt_session_lost(libvirt->session, why))
        give_up(libvirt, why);
    if (timestamp_monotonic() >= libvirt->next_call) {
        if (!libvirt->connection)
            try_to_connect(libvirt);
        else if (!read_versions(libvirt, libvirt->connection))
            give_up(libvirt, virGetLastErrorMessage());
    }
    if (libvirt->connection && !libvirt_domains_turn(libvirt, why))
        give_up(libvirt, why);
}

/* Until something is due or said. */
static void wait(const struct libvirt *libvirt)
{
    int64_t at = libvirt->next_call;
    if (libvirt->connection && libvirt->next_audit < at)
        at = libvirt->next_audit;
    int64_t ns = at - timestamp_monotonic();
    struct pollfd fd = {.fd = libvirt->work_fd, .events = POLLIN};
    uint64_t count = 0;
    if (ns > 0 && poll(&fd, 1, (int)(ns / TIMESTAMP_MS) + 1) <= 0)
        return;
    ssize_t ignored = read(libvirt->work_fd, &count, sizeof count);
    (void)ignored;
}

void *libvirt_work(void *argument)
{
    struct libvirt *libvirt = argument;
    while (!atomic_load(&libvirt->stopping)) {
        take_turn(libvirt);
        wait(libvirt);
    }
    disconnect(libvirt);
    return NULL;
}

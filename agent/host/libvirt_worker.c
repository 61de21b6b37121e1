/* SPDX-License-Identifier: Apache-2.0 */
/* The worker that owns the connection to libvirt and runs libvirt's event loop:
 * see libvirt.h. Everything here runs in the worker. */
#define LOG_MODULE "libvirt"
#include "agent/host/libvirt_parts.h"
#include "common/base/log.h"
#include "common/base/str.h"
#include "common/base/timestamp.h"

#include <libvirt/virterror.h>
#include <stdio.h>
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

/* ---- callbacks of libvirt's event loop ------------------------------------------ */

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

static void on_audit(int timer, void *context)
{
    struct libvirt *libvirt = context;
    libvirt->audit_due = true;
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

/* ---- the connection ------------------------------------------------------------- */

static void set_connection(struct libvirt *libvirt, virConnectPtr connection)
{
    pthread_mutex_lock(&libvirt->lock);
    libvirt->connection = connection;
    pthread_mutex_unlock(&libvirt->lock);
}

/* Orders that still wait on it keep it until libvirt has ended their calls. */
static void disconnect(struct libvirt *libvirt)
{
    virConnectPtr connection = libvirt->connection;
    libvirt_domains_end(libvirt);
    if (!connection)
        return;
    set_connection(libvirt, NULL);
    virConnectUnregisterCloseCallback(connection, on_close);
    virConnectClose(connection);
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
    libvirt->lost = false;
    virEventUpdateTimeout(libvirt->timer, (int)libvirt->retry_ms);
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
    virEventUpdateTimeout(libvirt->timer, VERSIONS_MS);
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
    /* Drivers without a daemon ("test") have neither and need neither. */
    virConnectRegisterCloseCallback(connection, on_close, libvirt, NULL);
    virConnectSetKeepAlive(connection, KEEPALIVE_S, KEEPALIVE_TRIES);
    set_connection(libvirt, connection);
    if (!read_versions(libvirt, connection)) {
        give_up(libvirt, virGetLastErrorMessage());
        return;
    }
    libvirt->retry_ms = libvirt->retry_min_ms;
    libvirt_domains_begin(libvirt);
}

/* What is to be done after a turn of libvirt's loop. */
static void take_turn(struct libvirt *libvirt)
{
    if (libvirt->lost)
        give_up(libvirt, libvirt->lost_why);
    if (libvirt->due) {
        libvirt->due = false;
        if (!libvirt->connection)
            try_to_connect(libvirt);
        else if (!read_versions(libvirt, libvirt->connection))
            give_up(libvirt, virGetLastErrorMessage());
    }
    char why[256] = "";
    if (libvirt->connection && !libvirt_domains_turn(libvirt, why))
        give_up(libvirt, why);
}

void *libvirt_work(void *argument)
{
    struct libvirt *libvirt = argument;
    libvirt->stop_watch = virEventAddHandle(
        libvirt->stop_fd, VIR_EVENT_HANDLE_READABLE, on_stop, NULL, NULL);
    libvirt->timer = virEventAddTimeout(0, on_timer, libvirt, NULL);
    libvirt->audit_timer = virEventAddTimeout(-1, on_audit, libvirt, NULL);
    while (!atomic_load(&libvirt->stopping)) {
        if (virEventRunDefaultImpl() < 0) {
            give_up(libvirt, "libvirt's event loop failed");
            break;
        }
        take_turn(libvirt);
    }
    disconnect(libvirt);
    virEventRemoveHandle(libvirt->stop_watch);
    virEventRemoveTimeout(libvirt->audit_timer);
    /* What was removed is freed by the loop's next turn. */
    virEventUpdateTimeout(libvirt->timer, 0);
    virEventRunDefaultImpl();
    virEventRemoveTimeout(libvirt->timer);
    return NULL;
}

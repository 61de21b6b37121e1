/* SPDX-License-Identifier: Apache-2.0 */
/* What libvirt's event loop tells of a connection and its domains: see
 * libvirt_parts.h. The callbacks run in the event loop's thread and call nothing
 * that waits for libvirt.
 *
 * An event only says which domain to read again, so that neither its kind nor its
 * order matters. A migration, a save and a dump change a domain's state and are
 * told as its life cycle; their jobs' own events add nothing. What no event
 * tells (a definition edited in parts) is found by the next whole reading. */
#define LOG_MODULE "libvirt"
#include "agent/host/libvirt_parts.h"
#include "common/base/log.h"
#include "common/base/str.h"

#include <fcntl.h>
#include <libvirt/virterror.h>
#include <string.h>
#include <unistd.h>

static void session_release(void *object)
{
    struct libvirt_session *session = object;
    pthread_mutex_destroy(&session->lock);
    mem_close_p(&session->work_fd);
    free(session);
}

struct libvirt_session *libvirt_session_new(int work_fd)
{
    struct libvirt_session *session = mem_new(struct libvirt_session);
    ref_init(&session->ref, session_release);
    pthread_mutex_init(&session->lock, NULL);
    session->work_fd = fcntl(work_fd, F_DUPFD_CLOEXEC, 0);
    session->all = true;
    return session;
}

/* ---- callbacks --------------------------------------------------------------------- */

static void on_close(virConnectPtr connection, int reason, void *context)
{
    static const char *const words[] = {
        [VIR_CONNECT_CLOSE_REASON_ERROR] = "the connection broke",
        [VIR_CONNECT_CLOSE_REASON_EOF] = "libvirt ended the connection",
        [VIR_CONNECT_CLOSE_REASON_KEEPALIVE] = "libvirt has fallen silent",
        [VIR_CONNECT_CLOSE_REASON_CLIENT] = "the connection was closed",
    };
    struct libvirt_session *session = context;
    (void)connection;
    bool known = reason >= 0 && (size_t)reason < sizeof words / sizeof *words;
    pthread_mutex_lock(&session->lock);
    session->lost = true;
    str_copy(session->lost_why, known ? words[reason] : words[0]);
    pthread_mutex_unlock(&session->lock);
    libvirt_signal(session->work_fd);
}

static void mark(struct libvirt_session *session, virDomainPtr domain)
{
    struct uuid uuid;
    if (virDomainGetUUID(domain, uuid.bytes) < 0)
        return;
    pthread_mutex_lock(&session->lock);
    size_t at = 0;
    while (at < session->dirty_count && !uuid_equal(&session->dirty[at], &uuid))
        at++;
    if (at == LIBVIRT_DIRTY_MAX)
        session->all = true;
    else if (at == session->dirty_count)
        session->dirty[session->dirty_count++] = uuid;
    pthread_mutex_unlock(&session->lock);
    libvirt_signal(session->work_fd);
}

static int on_life_cycle(virConnectPtr connection, virDomainPtr domain,
                         int event, int detail, void *context)
{
    (void)connection;
    (void)event;
    (void)detail;
    mark(context, domain);
    return 0;
}

static void on_device(virConnectPtr connection, virDomainPtr domain,
                      const char *alias, void *context)
{
    (void)connection;
    (void)alias;
    mark(context, domain);
}

static void on_removal_failed(virConnectPtr connection, virDomainPtr domain,
                              const char *alias, void *context)
{
    (void)connection;
    log_info("the guest of domain '%s' does not let go of '%s'",
             virDomainGetName(domain), alias);
    mark(context, domain);
}

static void on_metadata(virConnectPtr connection, virDomainPtr domain, int type,
                        const char *namespace, void *context)
{
    (void)connection;
    (void)type;
    (void)namespace;
    mark(context, domain);
}

typedef void (*any_function)(void);
static const struct {
    int id;
    any_function callback; /* of the type that goes with the id */
} events[] = {
    {VIR_DOMAIN_EVENT_ID_LIFECYCLE, (any_function)on_life_cycle},
    {VIR_DOMAIN_EVENT_ID_DEVICE_ADDED, (any_function)on_device},
    {VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED, (any_function)on_device},
    {VIR_DOMAIN_EVENT_ID_DEVICE_REMOVAL_FAILED,
     (any_function)on_removal_failed},
    {VIR_DOMAIN_EVENT_ID_METADATA_CHANGE, (any_function)on_metadata},
};

/* ---- the worker's side --------------------------------------------------------------- */

static void put(void *session)
{
    ref_put(session);
}

void libvirt_session_register(struct libvirt_session *session,
                              virConnectPtr connection, const char *uri)
{
    /* Drivers without a daemon ("test") have no such thing and need none. */
    if (virConnectRegisterCloseCallback(connection, on_close, ref_get(session),
                                        put) < 0)
        ref_put(session);
    for (size_t i = 0; i < sizeof events / sizeof *events; i++) {
        if (virConnectDomainEventRegisterAny(
                connection, NULL, events[i].id,
                (virConnectDomainEventGenericCallback)events[i].callback,
                ref_get(session), put) >= 0)
            continue;
        ref_put(session);
        log_warning("'%s' tells no events of kind %d (%s); changes are found "
                    "by reading all domains",
                    uri, events[i].id, virGetLastErrorMessage());
    }
}

bool libvirt_session_lost(struct libvirt_session *session, char why[64])
{
    pthread_mutex_lock(&session->lock);
    bool lost = session->lost;
    memcpy(why, session->lost_why, sizeof session->lost_why);
    pthread_mutex_unlock(&session->lock);
    return lost;
}

size_t libvirt_session_take(struct libvirt_session *session,
                            struct uuid dirty[LIBVIRT_DIRTY_MAX], bool *all)
{
    pthread_mutex_lock(&session->lock);
    size_t count = session->dirty_count;
    memcpy(dirty, session->dirty, count * sizeof *dirty);
    *all = session->all;
    session->dirty_count = 0;
    session->all = false;
    pthread_mutex_unlock(&session->lock);
    return count;
}

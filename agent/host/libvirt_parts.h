/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of the connection to libvirt, between libvirt.c (the agent's side),
 * libvirt_worker.c (the connection) and libvirt_domains.c (the list). */
#pragma once

#include "agent/host/libvirt.h"
#include "agent/host/libvirt_orders.h"

#include <libvirt/libvirt.h>
#include <pthread.h>
#include <stdatomic.h>

/* Events of more domains than this between two turns: all are read again. */
#define LIBVIRT_DIRTY_MAX 64

/* What libvirt's event loop tells the worker of one connection. libvirt's
 * callbacks hold references, so that one which is under way when the connection
 * ends finds it, and nobody is told of what an older connection says. */
struct libvirt_session {
    struct ref ref;
    int work_fd;          /* of its own; wakes the worker */
    pthread_mutex_t lock; /* guards what follows */
    bool lost;
    char lost_why[64];
    bool all; /* read all domains again */
    size_t dirty_count;
    struct uuid dirty[LIBVIRT_DIRTY_MAX]; /* domains that events were about */
};

struct libvirt {
    char *uri;
    unsigned retry_min_ms, retry_max_ms, deadline_ms, audit_ms;
    pthread_t thread;
    /* For the agent's loop: 'wake' when something was published, 'alarm' when
     * a call passed its deadline; both, and that of the orders, below 'epoll'. */
    int epoll_fd, wake_fd, alarm_fd;
    _Atomic unsigned changed; /* LIBVIRT_CHANGED_ bits, before 'wake' */
    int work_fd;              /* for the worker */
    _Atomic bool stopping;
    /* When the call that is under way began (monotonic ns), 0 = none is. */
    _Atomic int64_t call_since;
    struct libvirt_orders *orders; /* the loop thread's */

    pthread_mutex_t lock; /* guards the three pointers that follow: the worker
                             alone changes them, so it reads them without */
    struct libvirt_status *status;
    struct domain_list *domains; /* NULL: not known */
    virConnectPtr connection;    /* orders take references of it */

    /* The worker's own. */
    struct libvirt_session *session; /* NULL without a connection */
    unsigned retry_ms;
    int64_t next_call;  /* to connect or to ask for versions; monotonic ns */
    int64_t next_audit; /* 0 = not before a connection is there */
};

struct libvirt_status *libvirt_status_new(enum libvirt_state state);
/* Wake the loop: these LIBVIRT_CHANGED_ bits. Any thread. */
void libvirt_wake(struct libvirt *libvirt, unsigned changed);
/* Add to an event descriptor. */
void libvirt_signal(int fd);

/* libvirt_worker.c */
void *libvirt_work(void *libvirt); /* the worker thread */
/* Around calls that wait for libvirt's answer. */
void libvirt_call_begin(struct libvirt *libvirt);
void libvirt_call_end(struct libvirt *libvirt);
/* Says why the domains are not known ("" = they are) in the status. */
void libvirt_tell_domains(struct libvirt *libvirt, const char *why);

/* libvirt_session.c */
struct libvirt_session *libvirt_session_new(int work_fd);
/* Ask the connection to tell of its end and of its domains' events. Waits for
 * libvirt. */
void libvirt_session_register(struct libvirt_session *session,
                              virConnectPtr connection, const char *uri);
/* Did the connection end? Then why. */
bool libvirt_session_lost(struct libvirt_session *session, char why[64]);
/* Take the domains to be read again: how many; 'all' where that is not enough. */
size_t libvirt_session_take(struct libvirt_session *session,
                            struct uuid dirty[LIBVIRT_DIRTY_MAX], bool *all);

/* libvirt_domains.c; all in the worker. */
/* Read again what events were about, or all where that is due. False: the
 * connection is no good, 'why' says so. */
bool libvirt_domains_turn(struct libvirt *libvirt, char why[256]);
/* Nothing is known any more. */
void libvirt_domains_end(struct libvirt *libvirt);

/* libvirt_state.c: libvirt's numbers in our words. */
enum power_state libvirt_power_state(int state, bool active);
/* "" for a reason that is newer than this. */
const char *libvirt_reason(int state, int reason);

/* SPDX-License-Identifier: Apache-2.0 */
/* The agent's connection to libvirt, and what libvirt tells of its domains.
 *
 * One worker thread owns the connection and calls libvirt; the agent's loop never
 * waits for it. The worker publishes what it knows as records that never change
 * and wakes a descriptor. A connection that breaks is opened again, after 1 s at
 * first and at most 30 s; one that is silent is broken by libvirt's keepalive
 * (5 s, 3 times). That needs libvirt's event loop to run while calls wait
 * (virKeepAliveTimer), so it has a thread of its own, which never calls libvirt.
 *
 * Domains: all are read when the connection is new and each 60 s; between, an
 * event of a domain (life cycle, device added, removed or kept, metadata) makes
 * the worker read that one again. Orders (libvirt_orders.h) run in threads of
 * their own on the same connection.
 *
 * libvirt's event loop exists once a process, and its thread stays until the
 * process ends: one object at a time. Functions are called by one thread, that
 * of the agent's loop.
 */
#pragma once

#include "common/base/error.h"
#include "common/base/mem.h"
#include "common/domain/list.h"

#include <stdbool.h>
#include <stdint.h>

enum libvirt_state {
    LIBVIRT_CONNECTING, /* the first try is not over */
    LIBVIRT_CONNECTED,
    LIBVIRT_DISCONNECTED, /* 'error' says why; the next try comes by itself */
};

struct libvirt_status {
    struct ref ref;
    enum libvirt_state state;
    char driver[16]; /* "QEMU", "TEST"; "" unless connected */
    /* Of the libvirt that answers and of its hypervisor, as libvirt counts:
     * major x 1,000,000 + minor x 1,000 + release. 0 = not told. */
    unsigned long version, hypervisor_version;
    char error[256]; /* libvirt's own words */
    /* Connected, and still its domains are not known: why. "" = they are. */
    char domains_error[256];
};
static inline void libvirt_status_put_p(struct libvirt_status **status)
{
    ref_put(*status);
}
#define auto_libvirt_status __attribute__((cleanup(libvirt_status_put_p)))

struct libvirt_config {
    const char *uri; /* "qemu:///system"; copied */
    /* Milliseconds; 0 = the presets: 1000, 30000, 10000. The deadline is how
     * long a call may take before the connection is told as silent. */
    unsigned retry_min_ms, retry_max_ms, deadline_ms;
    unsigned audit_ms; /* between two readings of all domains; 0 = 60000 */
    /* How long an order may take before it is told as not answered; 0 = 60000:
     * a start that touches all memory of a big guest for VFIO is slow. */
    unsigned order_deadline_ms;
};

struct libvirt;
/* Starts the worker; the first try begins at once. NULL: no thread or
 * descriptor to be had. */
struct libvirt *libvirt_open(const struct libvirt_config *config,
                             struct error *err);
/* Ends the worker, the orders and the connection. Threads that hang in libvirt
 * are left behind after 2 s, with all that they use: only to end the process. */
void libvirt_close(struct libvirt *libvirt);

/* Readable when the status, the domains or an order may have changed;
 * libvirt_changed() drains it and says which: LIBVIRT_CHANGED_ bits. */
#define LIBVIRT_CHANGED_STATUS 1u
#define LIBVIRT_CHANGED_DOMAINS 2u /* an order's end too */
int libvirt_fd(const struct libvirt *libvirt);
unsigned libvirt_changed(struct libvirt *libvirt);
/* What is known now; a reference of the caller's. Never waits. */
struct libvirt_status *libvirt_status(struct libvirt *libvirt);
/* The domains, a reference of the caller's; NULL, AGAIN: not known, and why:
 * there is no connection, or libvirt is silent, or the first reading is not
 * over, or an active domain can't be understood (common/domain/domain.h),
 * because its VFs would then be told as nobody's. Never waits. */
struct domain_list *libvirt_domains(struct libvirt *libvirt, struct error *err);
/* See host_ops.h, domain_order. A result that was not asked for within 10 s is
 * forgotten, so that an old one is never taken for that of a later order; the
 * order is then begun again. */
int libvirt_order(struct libvirt *libvirt, const struct domain_order *order,
                  struct error *err);
/* Waits until the first try is over, at most 'ms'. For programs that ask once.
 */
void libvirt_wait(struct libvirt *libvirt, int ms);

/* "9.0.0"; "" for 0. */
const char *libvirt_version_text(unsigned long version, char text[32]);

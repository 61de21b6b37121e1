/* SPDX-License-Identifier: Apache-2.0 */
/* The agent's connection to libvirt.
 *
 * One worker thread owns the connection and runs libvirt's event loop; no other
 * thread calls libvirt, and the agent's loop never waits for it. The worker
 * publishes what it knows as a record that never changes and wakes a
 * descriptor. A connection that breaks is opened again, after 1 s at first and
 * at most 30 s; a connection that is silent is broken by libvirt's keepalive
 * (5 s, 3 times).
 *
 * libvirt's event loop exists once a process: one object at a time. Functions
 * are called by one thread, that of the agent's loop.
 */
#pragma once

#include "common/base/error.h"
#include "common/base/mem.h"

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
};

struct libvirt;
/* Starts the worker; the first try begins at once. NULL: no thread or
 * descriptor to be had. */
struct libvirt *libvirt_open(const struct libvirt_config *config,
                             struct error *err);
/* Ends the worker and the connection. A worker that hangs in libvirt is left
 * behind after 2 s, with all that it uses: only to end the process. */
void libvirt_close(struct libvirt *libvirt);

/* Readable when the status may have changed; libvirt_changed() drains it. */
int libvirt_fd(const struct libvirt *libvirt);
bool libvirt_changed(struct libvirt *libvirt);
/* What is known now; a reference of the caller's. Never waits. */
struct libvirt_status *libvirt_status(struct libvirt *libvirt);
/* Waits until the first try is over, at most 'ms'. For programs that ask once.
 */
void libvirt_wait(struct libvirt *libvirt, int ms);

/* "9.0.0"; "" for 0. */
const char *libvirt_version_text(unsigned long version, char text[32]);

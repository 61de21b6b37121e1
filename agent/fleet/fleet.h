/* SPDX-License-Identifier: Apache-2.0 */
/* A fleet of real agents on simulated hosts in one process: for trying the
 * scheduler at scale without hardware. Each is enrolled, reports, and is made
 * ready for use (PFs allowed, networks mapped), all by the REST interface.
 *
 * Threads: one; fleet_stop() from anywhere.
 */
#pragma once

#include "agent/host/sim/sim.h"
#include "common/base/error.h"

struct fleet_config {
    const char *server;
    const char *token_file; /* an administrator's */
    size_t hosts;
    uint64_t seed;
    const struct sim_profile *profile;
    void (*ready)(size_t hosts); /* called once, when all hosts are ready */
    void (*progress)(size_t enrolled, size_t reported, size_t ready,
                     size_t hosts); /* now and then until then; may be NULL */
};
#define FLEET_HOSTS_MAX 100000

/* Until fleet_stop(). -1: it can't go on (the token is refused …). */
int fleet_run(const struct fleet_config *config, struct error *err);
/* End it; from a signal handler too. */
void fleet_stop(void);

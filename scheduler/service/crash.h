/* SPDX-License-Identifier: Apache-2.0 */
/* Named crash points for tests: the environment's SRIOV_CRASH_AT names one of
 * WRITER_STEPS (writer.h), optionally with a count: "commit:before",
 * "commit:after#5" = at the fifth time. There the process ends as by kill -9.
 * Threads: one. */
#pragma once

#include "common/base/error.h"

/* Read the environment. INVALID: no such step. */
int crash_configure(struct error *err);
/* Returns unless the process is to end here. */
void crash_step(const char *step);

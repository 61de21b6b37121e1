/* SPDX-License-Identifier: Apache-2.0 */
/* Facts of the host as a whole: CPUs, memory, kernel, machine-id. */
#pragma once

#include "agent/host/notes.h"
#include "agent/host/sysfs.h"
#include "common/model/inventory.h"

/* Fill vcpus, memory_mib, kernel and machine_id; what can't be read stays 0
 * and is noted. */
void facts_read(const struct sysfs *sysfs, struct inventory *out,
                struct notes *notes);
/* The kernel's release, interned; "" where it can't be read (noted). */
const char *facts_kernel(const struct sysfs *sysfs, struct notes *notes);

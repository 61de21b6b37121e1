/* SPDX-License-Identifier: Apache-2.0 */
/* Which machine this is, and which boot of it. */
#pragma once

#include "common/base/error.h"
#include "common/base/uuid.h"

/* The id in 'system_file' (/etc/machine-id, see machine-id(5)). A system that
 * has none (a container, a minimal image; also the word "uninitialized") gets
 * one of its own, kept durably in STATE_DIR/machine-id: made once, then read.
 * Errors: IO, PERMISSION; INVALID if STATE_DIR/machine-id holds no id. */
int identity_machine(const char *system_file, const char *state_dir,
                     struct uuid *out, struct error *err);
/* The kernel's id of this boot (/proc/sys/kernel/random/boot_id). */
int identity_boot(struct uuid *out, struct error *err);

/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a bridge port learns MACs; the ops' contract is in host_ops.h. */
#pragma once

#include "agent/host/linux.h"

int linux_learning_read(struct host_backend *backend, const char *netdev,
                        bool *learns, struct error *err);
int linux_learning_set(struct host_backend *backend, const char *netdev,
                       bool learns, struct error *err);

/* SPDX-License-Identifier: Apache-2.0 */
/* The first admin token: who has the data folder has the cluster. */
#pragma once

#include "scheduler/service/service.h"

/* If no token of role admin is known, take the one of FOLDER/admin.token (mode
 * 0600), made before if there is none. Before service_run(). */
int bootstrap_admin(struct service *service, const char *folder,
                    struct error *err);

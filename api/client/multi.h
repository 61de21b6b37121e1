/* SPDX-License-Identifier: Apache-2.0 */
/* What client.c needs of client_multi beyond client.h. Private to api/client. */
#pragma once

#include "api/client/transfer.h"

/* As client_multi_start(), with headers. */
void multi_start(struct client_multi *multi,
                 const struct transfer_request *request, transfer_done *done,
                 void *context);
/* Drop everything in flight without a callback. */
void multi_drop(struct client_multi *multi);

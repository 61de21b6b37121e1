/* SPDX-License-Identifier: Apache-2.0 */
/* A whole scheduler in memory behind mhd.h: two hosts with PFs that are allowed,
 * one that never reported, a VM with a claim. Who may call: the bearer tokens
 * "admin", "operator", "viewer" and, as agents, "h1", "h2", "h3". */
#pragma once

#include "tests/fuzz/http/mhd.h"

/* As it is at the beginning; cheap if nothing has changed. */
void site_reset(void);
/* One request, answered; what it left behind is sound (core_check). */
void site_ask(const struct mhd_request *request, struct mhd_answer *out);
/* What changed survives a start from the store. */
void site_check_store(void);
/* What stands for '$' and this letter in a request: $c the cluster's id, $v and
 * $p the first VM's and its port's, $r the revision of h1's document; NULL =
 * nothing. The text lives until the next call. */
const char *site_word(char letter);

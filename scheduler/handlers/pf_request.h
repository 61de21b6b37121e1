/* SPDX-License-Identifier: Apache-2.0 */
/* Reading the body of PATCH /v1/hosts/{host}/pfs/{pf}. */
#pragma once

#include "common/base/json.h"
#include "scheduler/core/core.h"

struct pf_request {
    struct pf_patch patch; /* without the operator's words, see below */
    bool in_body;          /* 'generation' is a member */
    uint64_t generation;
    /* Words are changed one by one: a bit for each that the body names, in
     * 'words' what it says, support UNKNOWN = the word is taken back (null). */
    uint32_t fields, traits;
    struct capabilities words;
};

/* Strict: unknown members, wrong types and ranges are refused, each naming the
 * member and what to do. 'out' is zeroed by the caller. */
int pf_request_read(const json_t *body, struct pf_request *out,
                    struct error *err);
/* The patch's words: those that are set, with the request's changes. Does
 * nothing if the request names none. 'setting' NULL = nothing is set. */
void pf_request_merge_words(struct pf_request *request,
                            const struct pf_setting *setting);

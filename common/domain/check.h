/* SPDX-License-Identifier: Apache-2.0 */
/* The check of a parsed domain, for domain_check() and domain_define(). */
#pragma once

#include "common/domain/domain.h"

#include <libxml/tree.h>

/* May the text have this <interface> or <hostdev>? */
typedef bool domain_is_ours(const void *context, const xmlNode *device);
/* As domain_check(); 'is_ours' NULL: it may have none. */
int domain_check_doc(const xmlDoc *doc, const struct domain_identity *identity,
                     domain_is_ours *is_ours, const void *context,
                     struct error *err);

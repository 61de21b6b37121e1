/* SPDX-License-Identifier: Apache-2.0 */
/* The inventory that the backend reads in a copied tree: begin(), lay out what
 * is to be found (tree.h), read_tree(), look, end(). Included by one test program
 * each, hence the inline functions. */
#pragma once

#include "agent/host/host_ops.h"
#include "tests/unit/agent/host/tree.h"

static struct tree tree;
static struct host_backend *host;
static struct inventory *seen; /* by the last read_tree() */

static inline void begin(void)
{
    tree_begin(&tree);
    tree_host(&tree);
}

static inline void forget(void)
{
    ref_put(seen);
    seen = NULL;
    if (host)
        host->ops->close(host);
    host = NULL;
}

static inline void end(void)
{
    forget();
    tree_end(&tree);
}

/* By a backend that is opened anew. */
static inline void read_tree(void)
{
    struct error err = {0};
    forget();
    host = host_linux_open(tree.root, &err);
    ck_assert_msg(host != NULL, "%s", err.msg);
    seen = host->ops->inventory(host, &err);
    ck_assert_msg(seen != NULL, "%s", err.msg);
}

static inline const struct pf *pf_named(const char *text)
{
    struct pf_key key;
    ck_assert(pf_key_parse(text, &key));
    const struct pf *pf = inventory_pf(seen, &key);
    ck_assert_msg(pf != NULL, "no PF %s", text);
    return pf;
}

/* Why something could not be read; NULL = it is not said that it could not. */
static inline const char *unreadable(const char *what)
{
    for (size_t i = 0; i < seen->unreadable_count; i++)
        if (strstr(seen->unreadable[i].what, what))
            return seen->unreadable[i].why;
    return NULL;
}

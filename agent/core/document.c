/* SPDX-License-Identifier: Apache-2.0 */
/* Desired documents: which are accepted (fencing by cluster, epoch and
 * revision) and how they are merged into the wants. Absence from a full document
 * is no order: what we hold for a port that it lacks is marked unknown. */
#include "agent/core/internal.h"
#include "common/base/plant.h"

#include <inttypes.h>
#include <string.h>

static int check_cluster(const struct reconcile *r, const struct desired *doc,
                         struct error *err)
{
    const struct uuid *ours = &r->state.cluster_id;
    if (uuid_is_zero(ours) || uuid_equal(ours, &doc->cluster_id) ||
        r->entry_count == 0 || uuid_equal(&r->state.adopt, &doc->cluster_id))
        return 0;
    char have[UUID_TEXT_SIZE], got[UUID_TEXT_SIZE];
    error_fill(err, ERROR_WRONG_CLUSTER, 0, "",
               "the document is of cluster %s, but this host holds %zu VFs for "
               "cluster %s",
               uuid_format(&doc->cluster_id, got), r->entry_count,
               uuid_format(ours, have));
    error_remedy(err,
                 "point the agent at its own scheduler, or: sriov-agent adopt "
                 "--state-dir DIR --cluster-id %s",
                 got);
    return -1;
}

static int check(const struct reconcile *r, const struct desired *doc,
                 struct error *err)
{
    if (strcmp(doc->host, r->config.host) != 0)
        return error_set(err, ERROR_WRONG_HOST,
                         "the document is for host '%s', this is '%s'",
                         doc->host, r->config.host);
    if (check_cluster(r, doc, err) < 0)
        return -1;
    const struct revision *have = &r->state.accepted;
    bool same_cluster = uuid_equal(&r->state.cluster_id, &doc->cluster_id);
    if (same_cluster && revision_compare(&doc->revision, have) < 0 &&
        !PLANT(OLD_EPOCH))
        return error_set(err, ERROR_OLD_EPOCH,
                         "the document is %" PRIu64 ".%" PRIu64 ", %" PRIu64
                         ".%" PRIu64 " was accepted before",
                         doc->revision.epoch, doc->revision.revision,
                         have->epoch, have->revision);
    bool builds =
        r->has_document && same_cluster && doc->revision.epoch == have->epoch;
    if (!doc->full && !builds)
        return error_set(err, ERROR_NEED_FULL,
                         "a partial document, but no full one of this epoch "
                         "was seen since the start");
    return 0;
}

static const struct desired_port *find_port(const struct desired *doc,
                                            const struct uuid *id)
{
    for (size_t i = 0; i < doc->port_count; i++) {
        if (uuid_equal(&doc->ports[i].id, id))
            return &doc->ports[i];
    }
    return NULL;
}

/* Mark what we hold as known or unknown to the scheduler. An entry that is
 * being cleaned goes on: its removal was ordered by an accepted document. */
static void mark_unknown(struct reconcile *r)
{
    for (size_t i = 0; i < r->entry_count; i++) {
        struct entry *entry = r->entries[i];
        bool ours = uuid_is_zero(&entry->m.port) ||
                    entry->m.phase == MANAGED_CLEANING ||
                    entry->m.phase == MANAGED_QUARANTINED;
        bool unknown = !ours && !want_of(r, &entry->m.port);
        if (unknown == entry->m.unknown)
            continue;
        entry->m.unknown = unknown;
        entry_touch(r, entry);
        if (unknown && PLANT(ABSENCE_IS_AN_ORDER)) {
            entry->m.unknown = false;
            entry_move(r, entry, MANAGED_CLEANING);
        }
    }
}

static bool same_port(const struct desired_port *a,
                      const struct desired_port *b)
{
    return a->absent == b->absent &&
           revision_compare(&a->revision, &b->revision) == 0;
}

int reconcile_desired(struct reconcile *r, const struct desired *doc,
                      struct error *err)
{
    if (check(r, doc, err) < 0)
        return -1;
    bool news = !uuid_equal(&r->state.cluster_id, &doc->cluster_id) ||
                revision_compare(&r->state.accepted, &doc->revision) != 0 ||
                !uuid_equal(&r->state.heard_boot, &r->config.boot_id);
    if (news) {
        if (!uuid_equal(&r->state.cluster_id, &doc->cluster_id))
            memset(&r->state.adopt, 0, sizeof r->state.adopt);
        r->state.cluster_id = doc->cluster_id;
        r->state.accepted = doc->revision;
        r->state.heard_boot = r->config.boot_id;
        r->version++;
        r->changes++;
    }
    if (doc->full) {
        r->has_document = true;
        for (size_t i = r->want_count; i-- > 0;) {
            if (!find_port(doc, &r->wants[i].d.id))
                want_remove(r, &r->wants[i]);
        }
    }
    for (size_t i = 0; i < doc->port_count; i++) {
        const struct want *have = want_of(r, &doc->ports[i].id);
        if (!have || !same_port(&have->d, &doc->ports[i]))
            want_put(r, &doc->ports[i]);
    }
    pf_wishes_take(r, doc);
    vms_take(r, doc);
    mark_unknown(r);
    r->replan = true;
    return 0;
}

void reconcile_forget(struct reconcile *r, const struct uuid *port)
{
    struct want *want = want_of(r, port);
    if (want && want->d.absent && !entries_hold(r, port))
        want_remove(r, want);
}

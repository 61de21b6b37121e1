/* SPDX-License-Identifier: Apache-2.0 */
/* The one way in which the state changes: core_apply() takes an object of one
 * kind from 'before' to 'after' and brings maps, views and index along. The
 * commands, undo and restore all go through it; it never refuses and decides
 * nothing. */
#include "scheduler/core/internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void put_text(struct omap *map, const char *key, const void *value)
{
    omap_put(map, key, strlen(key), value);
}

static void remove_text(struct omap *map, const char *key)
{
    omap_remove(map, key, strlen(key));
}

/* ---- hosts ----------------------------------------------------------------- */

/* Make a changed copy the current view; the caller's reference goes in. */
static void set_view(struct core *core, struct host_view *view)
{
    view_set_state(view, core->state.cluster);
    put_text(&core->state.hosts, view->host->name, view);
    index_host_set(&core->index, &core->state, view);
    ref_put(view); /* the map holds it */
}

static void drop_host_keys(struct core *core, const struct host *host)
{
    if (!uuid_is_zero(&host->machine_id))
        omap_remove(&core->state.machines, host->machine_id.bytes,
                    sizeof host->machine_id.bytes);
    omap_remove(&core->state.host_hashes, host->token_hash,
                sizeof host->token_hash);
}

static void put_host_keys(struct core *core, const struct host *host)
{
    if (!uuid_is_zero(&host->machine_id))
        omap_put(&core->state.machines, host->machine_id.bytes,
                 sizeof host->machine_id.bytes, host);
    omap_put(&core->state.host_hashes, host->token_hash,
             sizeof host->token_hash, host);
}

/* The highest revision that a host's PF settings have in this epoch, else 0. */
static uint64_t host_revision(const struct host *host, uint64_t epoch)
{
    uint64_t highest = 0;
    for (size_t i = 0; host && i < host->pf_setting_count; i++)
        if (host->pf_settings[i].revision.epoch == epoch &&
            host->pf_settings[i].revision.revision > highest)
            highest = host->pf_settings[i].revision.revision;
    return highest;
}

/* The document goes from what has 'old' as its highest revision to what has
 * 'new'. Every change takes the next revision, so the one before it is one
 * less: undo needs no memory. The end of a record takes none. */
static void set_revision(struct host_view *view, uint64_t old, uint64_t new,
                         bool undo)
{
    if (undo && old && old != new &&old == view->revision.revision)
        view->revision.revision--;
    if (!undo && new > view->revision.revision)
        view->revision.revision = new;
}

static void apply_host(struct core *core, const struct host *before,
                       struct host *after, bool undo)
{
    if (before)
        drop_host_keys(core, before);
    if (before && !after) {
        index_host_remove(&core->index, before->name);
        remove_text(&core->state.hosts, before->name);
    }
    if (!after)
        return;
    put_host_keys(core, after);
    const struct host_view *old = state_host(&core->state, after->name);
    struct host_view *view = NULL;
    if (old) {
        view = view_dup(old);
        ref_put(view->host);
        view->host = ref_get(after);
    } else {
        view = view_new(after);
        view->revision.epoch = state_epoch(&core->state);
    }
    uint64_t epoch = view->revision.epoch;
    set_revision(view, host_revision(old ? before : NULL, epoch),
                 host_revision(after, epoch), old && undo);
    set_view(core, view);
}

static void apply_report(struct core *core, const struct host_report *before,
                         struct host_report *after)
{
    const char *host = after ? after->host : before->host;
    const struct host_view *old = state_host(&core->state, host);
    if (!old)
        return;
    struct host_view *view = view_dup(old);
    ref_put(view->report);
    view->report = ref_get(after);
    set_view(core, view);
}

static void apply_presence(struct core *core,
                           const struct host_presence *before,
                           struct host_presence *after)
{
    const char *host = after ? after->host : before->host;
    const struct host_view *old = state_host(&core->state, host);
    if (!old)
        return;
    struct host_view *view = view_dup(old);
    ref_put(view->presence);
    view->presence = ref_get(after);
    set_view(core, view);
}

/* A new epoch begins every host's document anew; the numbers go on, so that
 * taking the epoch back needs no memory of them. */
static void apply_cluster(struct core *core, struct cluster *after)
{
    struct cluster *old = core->state.cluster;
    core->state.cluster = ref_get(after);
    ref_put(old);
    const void *key = NULL;
    size_t length = 0;
    char name[NAME_SIZE] = "";
    const struct host_view *at = NULL;
    while ((at = omap_after(&core->state.hosts, *name ? name : NULL,
                            strlen(name), &key, &length))) {
        memcpy(name, at->host->name, sizeof name);
        struct host_view *view = view_dup(at);
        view->revision.epoch = state_epoch(&core->state);
        set_view(core, view);
    }
}

/* ---- VMs -------------------------------------------------------------------- */

static bool has_mac_key(const struct vm *vm, const struct mac_key *key)
{
    for (size_t i = 0; vm && i < vm->port_count; i++) {
        if (vm->ports[i].device)
            continue;
        struct mac_key other =
            mac_key_of(&vm->ports[i].mac, vm->ports[i].physical_network);
        if (other.length == key->length &&
            memcmp(other.bytes, key->bytes, key->length) == 0)
            return true;
    }
    return false;
}

static void drop_vm_keys(struct core *core, const struct vm *before,
                         const struct vm *after)
{
    struct name_key name = name_key_of(before);
    omap_remove(&core->state.vm_names, name.bytes, name.length);
    if (!after && *before->idempotency_key)
        remove_text(&core->keys, before->idempotency_key);
    for (size_t i = 0; i < before->port_count; i++) {
        if (before->ports[i].device)
            continue;
        struct mac_key mac = mac_key_of(&before->ports[i].mac,
                                        before->ports[i].physical_network);
        if (!has_mac_key(after, &mac))
            omap_remove(&core->macs, mac.bytes, mac.length);
    }
    if (after) /* it keeps its ports */
        return;
    for (size_t i = 0; i < before->port_count; i++)
        omap_remove(&core->state.ports, before->ports[i].id.bytes,
                    sizeof before->ports[i].id.bytes);
    omap_remove(&core->state.vms, before->id.bytes, sizeof before->id.bytes);
}

static void put_vm_keys(struct core *core, const struct vm *vm)
{
    struct name_key name = name_key_of(vm);
    omap_put(&core->state.vm_names, name.bytes, name.length, vm);
    if (*vm->idempotency_key)
        put_text(&core->keys, vm->idempotency_key, vm);
    for (size_t i = 0; i < vm->port_count; i++) {
        omap_put(&core->state.ports, vm->ports[i].id.bytes,
                 sizeof vm->ports[i].id.bytes, vm);
        if (vm->ports[i].device)
            continue;
        struct mac_key mac =
            mac_key_of(&vm->ports[i].mac, vm->ports[i].physical_network);
        omap_put(&core->macs, mac.bytes, mac.length, vm);
    }
    omap_put(&core->state.vms, vm->id.bytes, sizeof vm->id.bytes, vm);
}

/* The highest revision that a VM and its ports have in this epoch, else 0. */
static uint64_t vm_revision(const struct vm *vm, uint64_t epoch)
{
    uint64_t highest =
        vm && vm->revision.epoch == epoch ? vm->revision.revision : 0;
    for (size_t i = 0; vm && i < vm->port_count; i++)
        if (vm->ports[i].revision.epoch == epoch &&
            vm->ports[i].revision.revision > highest)
            highest = vm->ports[i].revision.revision;
    return highest;
}

/* 'before' and 'after' as far as they are on this host. */
static void move_on_host(struct core *core, const char *host,
                         const struct vm *before, const struct vm *after,
                         bool undo)
{
    const struct host_view *old = state_host(&core->state, host);
    if (!old)
        return;
    struct host_view *view = view_with_vm(old, before, after);
    uint64_t epoch = view->revision.epoch;
    set_revision(view, vm_revision(before, epoch), vm_revision(after, epoch),
                 undo);
    put_text(&core->state.hosts, host, view);
    index_vm_set(&core->index, view, before, after);
    ref_put(view);
}

static void apply_vm(struct core *core, struct vm *before, struct vm *after,
                     bool undo)
{
    if (before)
        drop_vm_keys(core, before, after);
    if (after)
        put_vm_keys(core, after);
    if (!core->started)
        return;
    bool stays = before && after && strcmp(before->host, after->host) == 0;
    if (stays) {
        move_on_host(core, after->host, before, after, undo);
        return;
    }
    if (before)
        move_on_host(core, before->host, before, NULL, undo);
    if (after)
        move_on_host(core, after->host, NULL, after, undo);
}

/* Hosts and the cluster are restored in any order: only now the epoch is known
 * of which the settings' revisions count. */
static void link_settings(struct core *core)
{
    const void *key = NULL;
    size_t length = 0;
    char name[NAME_SIZE] = "";
    const struct host_view *at = NULL;
    while ((at = omap_after(&core->state.hosts, *name ? name : NULL,
                            strlen(name), &key, &length))) {
        memcpy(name, at->host->name, sizeof name);
        struct host_view *view = view_dup(at);
        set_revision(view, 0, host_revision(view->host, view->revision.epoch),
                     false);
        set_view(core, view);
    }
}

int core_link(struct core *core, struct error *err)
{
    const void *key = NULL;
    size_t length = 0;
    link_settings(core);
    struct uuid id = {{0}};
    const struct vm *vm = NULL;
    bool first = true;
    while ((vm = omap_after(&core->state.vms, first ? NULL : id.bytes,
                            sizeof id.bytes, &key, &length))) {
        first = false;
        id = vm->id;
        if (!state_host(&core->state, vm->host))
            return error_set(err, ERROR_CORRUPT,
                             "VM '%s' is on host '%s', which is not stored",
                             vm->name, vm->host);
        move_on_host(core, vm->host, NULL, vm, false);
    }
    return 0;
}

/* ---- the rest ---------------------------------------------------------------- */

static void apply_token(struct core *core, const struct token *before,
                        const struct token *after)
{
    if (before) {
        remove_text(&core->state.tokens, before->name);
        omap_remove(&core->state.token_hashes, before->hash,
                    sizeof before->hash);
    }
    if (after) {
        put_text(&core->state.tokens, after->name, after);
        omap_put(&core->state.token_hashes, after->hash, sizeof after->hash,
                 after);
    }
}

static void apply_event(struct core *core, const struct event *before,
                        const struct event *after)
{
    uint8_t key[8];
    if (before) {
        sequence_key(before->sequence, key);
        omap_remove(&core->state.events, key, sizeof key);
        if (before->sequence == core->state.last_event)
            core->state.last_event--;
    }
    if (after) {
        sequence_key(after->sequence, key);
        omap_put(&core->state.events, key, sizeof key, after);
        if (after->sequence > core->state.last_event)
            core->state.last_event = after->sequence;
    }
}

void core_apply(struct core *core, enum record_kind kind, void *before,
                void *after, bool undo)
{
    core->changes += kind != RECORD_EVENT && kind != RECORD_TOKEN;
    switch (kind) {
    case RECORD_CLUSTER:
        apply_cluster(core, after);
        break;
    case RECORD_TOKEN:
        apply_token(core, before, after);
        break;
    case RECORD_HOST:
        apply_host(core, before, after, undo);
        break;
    case RECORD_VM:
        apply_vm(core, before, after, undo);
        break;
    case RECORD_EVENT:
        apply_event(core, before, after);
        break;
    case RECORD_REPORT:
        apply_report(core, before, after);
        break;
    case RECORD_PRESENCE:
        apply_presence(core, before, after);
        break;
    case RECORD_KIND_MAX:
        break;
    }
}

void core_change(struct core *core, struct tx *tx, enum record_kind kind,
                 const void *before, void *after)
{
    mem_grow(&tx->records, &tx->capacity, tx->count, sizeof *tx->records);
    struct record *record = &tx->records[tx->count++];
    *record = (struct record){
        .kind = kind,
        .before = ref_get(before),
        .after = after,
    };
    core_apply(core, kind, record->before, record->after, false);
}

void core_undo(struct core *core, const struct tx *tx)
{
    for (size_t i = tx->count; i > 0; i--) {
        const struct record *record = &tx->records[i - 1];
        core_apply(core, record->kind, record->after, record->before, true);
    }
}

static void drop_oldest_event(struct core *core, struct tx *tx)
{
    const void *key = NULL;
    size_t length = 0;
    const struct event *oldest =
        omap_after(&core->state.events, NULL, 0, &key, &length);
    if (oldest)
        core_change(core, tx, RECORD_EVENT, oldest, NULL);
}

/* Texts of agents are UTF-8; a cut must not leave half a character. */
static void trim_utf8(char *text)
{
    size_t length = strlen(text);
    size_t at = length;
    while (at > 0 && ((unsigned char)text[at - 1] & 0xc0) == 0x80)
        at--;
    if (at == 0)
        return;
    unsigned char lead = (unsigned char)text[at - 1];
    size_t wanted = lead < 0xc0 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    if (length - (at - 1) < wanted)
        text[at - 1] = '\0';
}

void core_event(struct core *core, const struct core_call *call, struct tx *tx,
                struct event_about about, const char *type, const char *reason,
                const char *format, ...)
{
    struct event *event = event_new();
    event->sequence = core->state.last_event + 1;
    event->at = call->now_ns;
    snprintf(event->type, sizeof event->type, "%s", type);
    snprintf(event->reason, sizeof event->reason, "%s", reason);
    snprintf(event->actor, sizeof event->actor, "%s",
             call->actor ? call->actor : "scheduler");
    snprintf(event->request_id, sizeof event->request_id, "%s",
             call->request_id ? call->request_id : "");
    if (about.host)
        snprintf(event->host, sizeof event->host, "%s", about.host);
    if (about.vm)
        event->vm = *about.vm;
    if (about.port)
        event->port = *about.port;
    va_list args;
    va_start(args, format);
    vsnprintf(event->message, sizeof event->message, format, args);
    va_end(args);
    trim_utf8(event->message);
    core_change(core, tx, RECORD_EVENT, NULL, event);
    while (core->state.events.count > EVENTS_KEPT)
        drop_oldest_event(core, tx);
}

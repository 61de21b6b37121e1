/* SPDX-License-Identifier: Apache-2.0 */
/* Orders to libvirt: one for a domain at a time, asked for until it has ended. */
#include "agent/core/internal.h"

#include <string.h>

/* Asked again so often whether libvirt is done; an event asks sooner. */
#define ORDER_POLL_NS TIMESTAMP_SECOND

bool order_begin(struct reconcile *r, struct vm_slot *vm,
                 enum domain_order_kind kind, const struct uuid *port,
                 char *xml, char *alias)
{
    struct vm_order *order = &vm->order;
    if (order->active) {
        free(xml);
        free(alias);
        return false;
    }
    free(order->xml);
    free(order->alias);
    *order = (struct vm_order){.active = true,
                               .kind = (uint8_t)kind,
                               .domain = vm->domain ? vm->domain->uuid : vm->id,
                               .xml = xml,
                               .alias = alias};
    if (port)
        order->port = *port;
    r->changes++;
    return true;
}

void orders_ask(struct reconcile *r)
{
    for (size_t i = 0; i < r->vm_count; i++)
        r->vms[i]->order.next_at = 0;
}

bool order_next(struct reconcile *r, int64_t now, struct action *action,
                int64_t *wake)
{
    for (size_t i = 0; i < r->vm_count; i++) {
        const struct vm_order *order = &r->vms[i]->order;
        if (!order->active)
            continue;
        if (now < order->next_at) {
            if (order->next_at < *wake)
                *wake = order->next_at;
            continue;
        }
        *action = (struct action){
            .kind = ACTION_ORDER,
            .vm = r->vms[i]->id,
            .port = order->port,
            .order = {.kind = (enum domain_order_kind)order->kind,
                      .domain = order->domain,
                      .xml = order->xml,
                      .alias = order->alias}};
        return true;
    }
    return false;
}

void order_done(struct reconcile *r, int64_t now, const struct action *action,
                const struct action_result *result)
{
    struct vm_slot *vm = vm_at(r, &action->vm);
    if (!vm || !vm->order.active)
        return;
    if (!result->failed && result->pending) {
        vm->order.next_at = now + ORDER_POLL_NS;
        return;
    }
    enum domain_order_kind kind = (enum domain_order_kind)vm->order.kind;
    struct want *want = want_of(r, &vm->order.port);
    vm->order.active = false;
    r->replan = true;
    r->changes++;
    if (!uuid_is_zero(&vm->order.port)) {
        if (want)
            way_ordered(r, want, now, kind, result);
    } else {
        vm_ordered(r, vm, now, kind, result);
    }
}

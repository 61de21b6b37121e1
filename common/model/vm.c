/* SPDX-License-Identifier: Apache-2.0 */
/* VMs, ports and revisions: see vm.h. */
#include "common/model/vm.h"

#include "common/base/str.h"
#include "common/model/names.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char *const vnic_type_names[] = {
#define X(name, wire) [VNIC_##name] = wire,
    VNIC_TYPES(X)
#undef X
};
NAMES_DEFINE(vnic_type, VNIC_TYPE_MAX);

static const char *const fallback_names[] = {
    [FALLBACK_REFUSE] = "refuse",
    [FALLBACK_VIRTIO] = "virtio",
};
NAMES_DEFINE(fallback, FALLBACK_MAX);

static const char *const guest_failover_names[] = {
    [GUEST_FAILOVER_NONE] = "none",
    [GUEST_FAILOVER_NET_FAILOVER] = "net_failover",
    [GUEST_FAILOVER_BOND] = "bond",
};
NAMES_DEFINE(guest_failover, GUEST_FAILOVER_MAX);

static const char *const macvtap_mode_names[] = {
    [MACVTAP_NONE] = NULL,
    [MACVTAP_BRIDGE] = "bridge",
    [MACVTAP_VEPA] = "vepa",
    [MACVTAP_PASSTHROUGH] = "passthrough",
};
NAMES_DEFINE(macvtap_mode, MACVTAP_MODE_MAX);

static const char *const port_path_names[] = {
    [PATH_VF] = "vf",
    [PATH_VIRTIO] = "virtio",
};
NAMES_DEFINE(port_path, PORT_PATH_MAX);

static const char *const vm_lifecycle_names[] = {
    [LIFECYCLE_EXTERNAL] = "external",
    [LIFECYCLE_MANAGED] = "managed",
    [LIFECYCLE_HOST] = "host",
};
NAMES_DEFINE(vm_lifecycle, LIFECYCLE_MAX);

static const char *const vm_role_names[] = {
    [VM_ROLE_OWN] = "own",
};
NAMES_DEFINE(vm_role, VM_ROLE_MAX);

static const char *const power_state_names[] = {
#define X(name, wire) [POWER_##name] = wire,
    POWER_STATES(X)
#undef X
};
NAMES_DEFINE(power_state, POWER_STATE_MAX);

static const char *const vm_state_names[] = {
    [VM_CLAIMED] = "claimed",
    [VM_DELETING] = "deleting",
};
NAMES_DEFINE(vm_state, VM_STATE_MAX);

static const char *const strategy_names[] = {
    [STRATEGY_SPREAD] = "spread",
    [STRATEGY_PACK] = "pack",
};
NAMES_DEFINE(strategy, STRATEGY_MAX);

static const char *const condition_status_names[] = {
#define X(name, wire) [CONDITION_##name] = wire,
    CONDITION_STATUSES(X)
#undef X
};
NAMES_DEFINE(condition_status, CONDITION_STATUS_MAX);

int revision_compare(const struct revision *a, const struct revision *b)
{
    if (a->epoch != b->epoch)
        return a->epoch < b->epoch ? -1 : 1;
    if (a->revision != b->revision)
        return a->revision < b->revision ? -1 : 1;
    return 0;
}

const char *revision_format(const struct revision *r,
                            char text[REVISION_TEXT_SIZE])
{
    char *at = str_put_u64(text, r->epoch);
    *at++ = '.';
    *str_put_u64(at, r->revision) = '\0';
    return text;
}

/* One decimal number of at most 20 digits that ends at 'end'; moves *at. */
static bool take_number(const char **at, char end, uint64_t *out)
{
    size_t length = strspn(*at, "0123456789");
    char digits[21];
    if (!length || length >= sizeof digits || (*at)[length] != end)
        return false;
    memcpy(digits, *at, length);
    digits[length] = '\0';
    *at += length + (end != '\0');
    return str_to_u64(digits, 10, UINT64_MAX, out);
}

bool revision_parse(const char *text, struct revision *out)
{
    struct revision r;
    if (!take_number(&text, '.', &r.epoch) ||
        !take_number(&text, '\0', &r.revision))
        return false;
    *out = r;
    return true;
}

static void text_release(void *object)
{
    free(object);
}

struct text *text_new(const char *data, size_t length)
{
    struct text *text = mem_calloc(1, sizeof *text + length + 1);
    ref_init(&text->ref, text_release);
    text->length = length;
    memcpy(text->data, data, length);
    return text;
}

static void vm_release(void *object)
{
    struct vm *vm = object;
    ref_put(vm->domain_xml);
    free(vm);
}

static size_t vm_size(size_t port_count)
{
    return sizeof(struct vm) + port_count * sizeof(struct port);
}

struct vm *vm_new(size_t port_count)
{
    struct vm *vm = mem_calloc(1, vm_size(port_count));
    ref_init(&vm->ref, vm_release);
    vm->port_count = port_count;
    for (size_t i = 0; i < port_count; i++)
        vm->ports[i].claim.numa_node = -1;
    return vm;
}

struct vm *vm_dup(const struct vm *vm)
{
    struct vm *copy = mem_dup(vm, vm_size(vm->port_count));
    ref_init(&copy->ref, vm_release);
    ref_get(copy->domain_xml);
    return copy;
}

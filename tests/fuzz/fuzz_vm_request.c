/* SPDX-License-Identifier: Apache-2.0 */
/* The body of POST /v1/vms, down to the placement: whatever is let in is placed
 * or refused with a reason, and taken back without a trace. */
#include "scheduler/handlers/vm_request.h"

#include "common/base/str.h"
#include "tests/fuzz/fuzz.h"

#define VFS 4

static struct core *core;
static struct rng rng = {1};
static const struct core_call call = {
    .now_ns = 1, .rng = &rng, .actor = "fuzz", .request_id = ""};

static void must(int result, const struct error *err)
{
    if (result == 0)
        return;
    fprintf(stderr, "%s\n", err->msg);
    abort();
}

static struct observed *make_report(const char *host)
{
    struct observed *observed = observed_new(0, 0, 0);
    struct pf *pf = pf_new(VFS);
    pf_key_parse("0000:3b:00.0", &pf->key);
    pf->has_address = pf_key_pci(&pf->key, &pf->address);
    pf->vendor_id = 0x8086;
    pf->link_up = true;
    pf->link_speed_mbps = 10000;
    pf->total_vfs = pf->num_vfs = VFS;
    for (uint16_t i = 0; i < VFS; i++)
        pf->vfs[i].index = i;
    /* Half of the fields, so that both outcomes are near. */
    for (int i = 0; i < POLICY_FIELD_MAX; i++)
        pf->capabilities.field[i].support =
            i % 2 ? CAPABILITY_UNSUPPORTED : CAPABILITY_SUPPORTED;
    str_copy(observed->host, host);
    observed->machine_id.bytes[0] = 1;
    observed->incarnation = observed->sequence = 1;
    observed->full = true;
    observed->inventory = inventory_new(1, 1, 0);
    observed->inventory->vcpus = 8;
    observed->inventory->memory_mib = 8192;
    observed->inventory->pfs[0] = pf;
    str_copy(observed->inventory->networks[0].device, "br0");
    return observed;
}

static void make_core(void)
{
    static const struct core_config config = {1000, 1000};
    static const struct network_mapping mapping = {"br0", "physnet0"};
    const uint8_t hash[32] = {1};
    struct pf_key key;
    struct host_patch mapped = {
        .has_mappings = true, .mapping_count = 1, .mappings = &mapping};
    struct pf_patch allowed = {
        .has_allowed = true, .allowed = true, .has_physical_network = true};
    struct tx tx = {0};
    struct error err = {0};
    bool renewed = false;
    auto_observed struct observed *report = make_report("h1");
    core = core_new(&config);
    pf_key_parse("0000:3b:00.0", &key);
    str_copy(allowed.physical_network, "physnet0");
    must(core_start(core, &call, &tx, &err), &err);
    must(core_host_enroll(core, &call, "h1", hash, &tx, &renewed, &err), &err);
    must(core_observe(core, &call, "h1", report, &tx, &err), &err);
    must(core_host_patch(core, &call, "h1", &mapped, &tx, &err), &err);
    must(core_pf_patch(core, &call, "h1", &key, &allowed, &tx, &err), &err);
    tx_done(&tx);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    auto_json json_t *value = fuzz_parse(data, size);
    struct vm_request request = {0};
    struct error err = {0};
    if (!value)
        return 0;
    if (vm_request_read(value, &request, &err) < 0) {
        fuzz_check_error(&err);
        return 0;
    }
    if (!core)
        make_core();
    struct tx tx = {0};
    struct vm *vm = NULL;
    bool repeated = false;
    struct placement_reasons reasons = {0};
    if (core_vm_create(core, &call, &request, &tx, &vm, &repeated, &reasons,
                       &err) < 0)
        fuzz_check_error(&err);
    must(core_check(core, &err), &err);
    core_undo(core, &tx);
    tx_done(&tx);
    ref_put(vm);
    must(core_check(core, &err), &err);
    return 0;
}

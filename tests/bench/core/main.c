/* SPDX-License-Identifier: Apache-2.0 */
/* bench-core: what the scheduler's decisions cost alone, without HTTP, JSON and
 * disk: nanoseconds of CPU per VM created and per VM refused, in cores with the
 * given numbers of hosts, measured in turns. Prints JSON. */
#include "common/base/str.h"
#include "common/base/timestamp.h"
#include "scheduler/core/core.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PFS 2
#define VFS 64
#define ROUNDS_MAX 100
#define BATCH 64 /* calls between two snapshots, as the writer makes them */
#define NETWORK "physnet0"

struct fleet {
    size_t hosts, made;
    struct core *core;
    struct rng rng;
    struct core_call call;
    double create_ns[ROUNDS_MAX], refuse_ns[ROUNDS_MAX];
};

static void must(int result, const struct error *err)
{
    if (result == 0)
        return;
    fprintf(stderr, "bench-core: %s\n", err->msg);
    exit(1);
}

static struct pf *make_pf(size_t number)
{
    char text[16];
    struct pf *pf = pf_new(VFS);
    snprintf(text, sizeof text, "0000:%02zx:00.0", 0x3b + number);
    pf_key_parse(text, &pf->key);
    pf->has_address = pf_key_pci(&pf->key, &pf->address);
    pf->vendor_id = 0x15b3;
    pf->device_id = 0x101d;
    pf->driver = str_intern("mlx5_core");
    pf->link_up = true;
    pf->link_speed_mbps = 25000;
    pf->total_vfs = pf->num_vfs = VFS;
    for (int i = 0; i < POLICY_FIELD_MAX; i++)
        pf->capabilities.field[i] = (struct capability){
            .support = CAPABILITY_SUPPORTED, .note = str_intern("")};
    for (uint16_t i = 0; i < VFS; i++) {
        pf->vfs[i].index = i;
        pf->vfs[i].state = VF_FREE;
        pf->vfs[i].driver = pf->vfs[i].reason = str_intern("");
    }
    return pf;
}

static struct observed *make_report(struct fleet *fleet, const char *host)
{
    struct observed *observed = observed_new(0, 0, 0, 0);
    str_copy(observed->host, host);
    observed->machine_id = uuid_make(fleet->call.now_ns, &fleet->rng);
    observed->boot_id = observed->machine_id;
    observed->incarnation = observed->sequence = 1;
    observed->full = true;
    observed->inventory = inventory_new(PFS, 0, 0);
    observed->inventory->machine_id = observed->machine_id;
    observed->inventory->vcpus = 4096;
    observed->inventory->memory_mib = UINT64_C(1) << 30;
    for (size_t i = 0; i < PFS; i++)
        observed->inventory->pfs[i] = make_pf(i);
    return observed;
}

static void add_host(struct fleet *fleet, size_t number)
{
    char name[NAME_SIZE];
    uint8_t hash[32] = {0};
    bool renewed = false;
    struct tx tx = {0};
    struct error err = {0};
    snprintf(name, sizeof name, "host-%05zu", number);
    memcpy(hash, &number, sizeof number);
    must(core_host_enroll(fleet->core, &fleet->call, name, hash, &tx, &renewed,
                          &err),
         &err);
    struct observed *observed = make_report(fleet, name);
    must(core_observe(fleet->core, &fleet->call, name, observed, &tx, &err),
         &err);
    for (size_t i = 0; i < PFS; i++) {
        struct pf_patch patch = {.has_allowed = true, .allowed = true};
        patch.has_physical_network = true;
        str_copy(patch.physical_network, NETWORK);
        must(core_pf_patch(fleet->core, &fleet->call, name,
                           &observed->inventory->pfs[i]->key, &patch, &tx,
                           &err),
             &err);
    }
    ref_put(observed);
    tx_done(&tx);
}

static void fleet_init(struct fleet *fleet, size_t hosts)
{
    static const struct core_config config = {
        .unreachable_after_ns = 3600 * TIMESTAMP_SECOND,
        .grace_ns = 3600 * TIMESTAMP_SECOND,
    };
    struct tx tx = {0};
    struct error err = {0};
    *fleet = (struct fleet){.hosts = hosts, .core = core_new(&config)};
    fleet->rng.state = 1;
    fleet->call = (struct core_call){.now_ns = timestamp_now(),
                                     .rng = &fleet->rng,
                                     .actor = "bench",
                                     .request_id = ""};
    must(core_start(fleet->core, &fleet->call, &tx, &err), &err);
    tx_done(&tx);
    for (size_t i = 0; i < hosts; i++)
        add_host(fleet, i);
}

static int64_t cpu_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (int64_t)now.tv_sec * TIMESTAMP_SECOND + now.tv_nsec;
}

/* 'count' VMs with one VF each on a network: CPU per VM in ns. */
static double place(struct fleet *fleet, const char *network, size_t count,
                    bool fits)
{
    struct vm_request request = {.vcpus = 2, .memory_mib = 4096};
    request.port_count = 1;
    str_copy(request.ports[0].physical_network, network);
    request.ports[0].policy.set = POLICY_BIT(POLICY_VLAN);
    request.ports[0].policy.vlan = 100;
    struct placement_reasons reasons;
    struct tx tx = {0};
    struct snapshot *published = core_publish(fleet->core);
    int64_t began = cpu_now();
    for (size_t i = 0; i < count; i++) {
        struct vm *vm = NULL;
        bool repeated = false;
        struct error err = {0};
        snprintf(request.name, sizeof request.name, "vm-%zu", fleet->made++);
        /* The same refusal again is answered without a scan. */
        if (!fits)
            snprintf(request.ports[0].physical_network, NAME_SIZE, "%s-%zu",
                     network, i);
        int result = core_vm_create(fleet->core, &fleet->call, &request, &tx,
                                    &vm, &repeated, &reasons, &err);
        ref_put(vm);
        if (fits)
            must(result, &err);
        else if (result == 0 || err.code != ERROR_NO_VALID_HOST)
            must(-1, &err);
        if (i % BATCH == BATCH - 1) {
            snapshot_put(published);
            published = core_publish(fleet->core);
            tx_done(&tx);
        }
    }
    int64_t spent = cpu_now() - began;
    snapshot_put(published);
    tx_done(&tx);
    return (double)spent / (double)count;
}

static void print_list(const char *name, const double *values, size_t count)
{
    printf("\"%s\": [", name);
    for (size_t i = 0; i < count; i++)
        printf("%s%.0f", i ? ", " : "", values[i]);
    printf("]");
}

int main(int argc, char **argv)
{
    uint64_t rounds = 0, creations = 0, refusals = 0;
    if (argc < 5 || !str_to_u64(argv[1], 10, ROUNDS_MAX, &rounds) ||
        !str_to_u64(argv[2], 10, 1000000, &creations) ||
        !str_to_u64(argv[3], 10, 1000000, &refusals)) {
        fprintf(stderr, "usage: bench-core ROUNDS CREATIONS REFUSALS HOSTS...\n"
                        "CREATIONS and REFUSALS are of each round\n");
        return 1;
    }
    size_t count = (size_t)argc - 4;
    struct fleet *fleets = calloc(count, sizeof *fleets);
    for (size_t i = 0; fleets && i < count; i++) {
        uint64_t hosts = 0;
        str_to_u64(argv[4 + i], 10, 1000000, &hosts);
        fleet_init(&fleets[i], (size_t)hosts);
        place(&fleets[i], NETWORK, BATCH, true);
    }
    for (size_t round = 0; fleets && round < rounds; round++)
        for (size_t i = 0; i < count; i++) {
            fleets[i].create_ns[round] =
                place(&fleets[i], NETWORK, (size_t)creations, true);
            fleets[i].refuse_ns[round] =
                place(&fleets[i], "nowhere", (size_t)refusals, false);
        }
    printf("[");
    for (size_t i = 0; fleets && i < count; i++) {
        printf("%s{\"hosts\": %zu, ", i ? ", " : "", fleets[i].hosts);
        print_list("create_ns", fleets[i].create_ns, (size_t)rounds);
        printf(", ");
        print_list("refuse_ns", fleets[i].refuse_ns, (size_t)rounds);
        printf("}");
        core_free(fleets[i].core);
    }
    puts("]");
    free(fleets);
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The desired and the observed document: see document.h. */
#include "common/model/document.h"

#include "common/model/names.h"

static const char *const port_phase_names[] = {
#define X(name, wire) [PORT_##name] = wire,
    PORT_PHASES(X)
#undef X
};
NAMES_DEFINE(port_phase, PORT_PHASE_MAX);

static const char *const pf_phase_names[] = {
#define X(name, wire) [PF_##name] = wire,
    PF_PHASES(X)
#undef X
};
NAMES_DEFINE(pf_phase, PF_PHASE_MAX);

static const char *const vm_phase_names[] = {
#define X(name, wire) [VM_PHASE_##name] = wire,
    VM_PHASES(X)
#undef X
};
NAMES_DEFINE(vm_phase, VM_PHASE_MAX);

static const char *const evidence_names[] = {
#define X(name, wire) [EVIDENCE_##name] = wire,
    EVIDENCES(X)
#undef X
};
NAMES_DEFINE(evidence, EVIDENCE_MAX);

static void desired_release(void *object)
{
    struct desired *desired = object;
    for (size_t i = 0; i < desired->vm_count; i++)
        ref_put(desired->vms[i].domain_xml);
    free(desired->vms);
    free(desired->pfs);
    free(desired);
}

struct desired *desired_new(size_t port_count, size_t pf_count, size_t vm_count)
{
    struct desired *desired =
        mem_calloc(1, sizeof *desired + port_count * sizeof *desired->ports);
    ref_init(&desired->ref, desired_release);
    desired->pf_count = pf_count;
    desired->pfs = mem_calloc(pf_count, sizeof *desired->pfs);
    desired->vm_count = vm_count;
    desired->vms = mem_calloc(vm_count, sizeof *desired->vms);
    desired->port_count = port_count;
    for (size_t i = 0; i < port_count; i++)
        desired->ports[i].claim.numa_node = -1;
    return desired;
}

static void observed_release(void *object)
{
    struct observed *observed = object;
    ref_put(observed->inventory);
    free(observed->gone_pfs);
    free(observed->pfs);
    free(observed->ports);
    free(observed->vms);
    free(observed);
}

struct observed *observed_new(size_t port_count, size_t gone_count,
                              size_t pf_count, size_t vm_count)
{
    struct observed *observed = mem_new(struct observed);
    ref_init(&observed->ref, observed_release);
    observed->port_count = port_count;
    observed->ports = mem_calloc(port_count, sizeof *observed->ports);
    for (size_t i = 0; i < port_count; i++)
        observed->ports[i].claim.numa_node = -1;
    observed->vm_count = vm_count;
    observed->vms = mem_calloc(vm_count, sizeof *observed->vms);
    observed->pf_count = pf_count;
    observed->pfs = mem_calloc(pf_count, sizeof *observed->pfs);
    observed->gone_count = gone_count;
    observed->gone_pfs = mem_calloc(gone_count, sizeof *observed->gone_pfs);
    return observed;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* How a kernel takes another VF count, driver autoprobe and bridge mode: in
 * steps, with the refusals of drivers/pci/iov.c and of the drivers. A count
 * takes away all VFs and makes them anew; some drivers lose the PF's link for a
 * moment. Knows nothing of agents. */
#include "agent/host/sim/world.h"

#include "common/base/str.h"

#include <errno.h>

enum {
    STEP_AUTOPROBE,
    STEP_ZERO,
    STEP_COUNT,
    STEP_LINK,
    STEP_BRIDGE,
    STEP_PROVE,
};

struct call {
    struct sim_host *host;
    struct sim_pf *pf;
    struct sim_change *change;
    sim_fault_fn *fault;
    void *context;
    struct error *err;
};

static int refuse(const struct call *call, int number, const char *field)
{
    error_fill_sys(call->err, number, "set %s of PF %s", field,
                   call->pf->key.text);
    if (call->err)
        str_copy(call->err->field, field);
    return -1;
}

static int before(const struct call *call, uint32_t part, const char *field)
{
    int number = call->fault(call->context, SIM_STEP_PF_SET, &call->pf->key,
                             call->change->target.num_vfs, part);
    return number ? refuse(call, number, field) : 0;
}

static int written(const struct call *call, uint32_t part, const char *field)
{
    sim_host_notify(call->host, call->pf);
    int number = call->fault(call->context, SIM_STEP_PF_WRITTEN, &call->pf->key,
                             call->change->target.num_vfs, part);
    return number ? refuse(call, number, field) : 0;
}

static int set_autoprobe(const struct call *call)
{
    uint8_t wanted = call->change->target.autoprobe;
    if (wanted == AUTOPROBE_NONE || wanted == call->pf->autoprobe)
        return 0;
    if (before(call, SIM_PF_AUTOPROBE, PF_TARGET_AUTOPROBE) < 0)
        return -1;
    call->pf->autoprobe = wanted;
    return written(call, SIM_PF_AUTOPROBE, PF_TARGET_AUTOPROBE);
}

static bool is_used(const struct sim_pf *pf)
{
    for (uint16_t i = 0; i < pf->vf_count; i++)
        if (pf->vfs[i].external)
            return true;
    return false;
}

static int make(const struct call *call, uint16_t count)
{
    struct sim_pf *pf = call->pf;
    if (before(call, SIM_PF_NUM_VFS, PF_TARGET_NUM_VFS) < 0)
        return -1;
    sim_pf_make_vfs(call->host, pf, count);
    if (pf->model->link_reset && pf->link_up) {
        call->change->link_lost = true;
        sim_pf_set_link(call->host, pf, false);
    }
    return written(call, SIM_PF_NUM_VFS, PF_TARGET_NUM_VFS);
}

static int set_zero(const struct call *call)
{
    const struct pf_target *target = &call->change->target;
    struct sim_pf *pf = call->pf;
    if (!target->has_num_vfs || target->num_vfs == pf->vf_count)
        return 0;
    if (target->num_vfs > pf->total_vfs) {
        error_fill(call->err, ERROR_RANGE, ERANGE, PF_TARGET_NUM_VFS,
                   "PF %s: %u VFs are asked for, its firmware allows at most "
                   "%u",
                   pf->key.text, target->num_vfs, pf->total_vfs);
        error_remedy(call->err, "ask for at most %u", pf->total_vfs);
        return -1;
    }
    if (pf->vf_count == 0)
        return 0;
    /* vfio waits for whoever uses the VF before it lets the device go. */
    return is_used(pf) ? 1 : make(call, 0);
}

static int set_count(const struct call *call)
{
    const struct pf_target *target = &call->change->target;
    if (!target->has_num_vfs || target->num_vfs == call->pf->vf_count)
        return 0;
    /* Somebody else made VFs in between: sriov_numvfs_store. */
    if (call->pf->vf_count != 0)
        return refuse(call, EBUSY, PF_TARGET_NUM_VFS);
    return make(call, target->num_vfs);
}

static int set_bridge(const struct call *call)
{
    uint8_t wanted = call->change->target.bridge_mode;
    struct sim_pf *pf = call->pf;
    if (wanted == BRIDGE_NONE || wanted == pf->bridge_mode)
        return 0;
    if (before(call, SIM_PF_BRIDGE_MODE, PF_TARGET_BRIDGE_MODE) < 0)
        return -1;
    if (pf->bridge_mode == BRIDGE_NONE)
        return refuse(call, EOPNOTSUPP, PF_TARGET_BRIDGE_MODE);
    pf->bridge_mode = wanted;
    return written(call, SIM_PF_BRIDGE_MODE, PF_TARGET_BRIDGE_MODE);
}

static int prove(const struct call *call)
{
    const struct pf_target *target = &call->change->target;
    struct pf now = {.num_vfs = call->pf->vf_count,
                     .autoprobe = call->pf->autoprobe,
                     .bridge_mode = call->pf->bridge_mode};
    const char *field = pf_target_difference(target, &now);
    if (*field == '\0')
        return 0;
    error_fill(call->err, ERROR_IO, 0, field,
               "%s was accepted, but the kernel reads otherwise", field);
    return -1;
}

int sim_pf_step(struct sim_host *host, struct sim_pf *pf,
                struct sim_change *change, sim_fault_fn *fault, void *context,
                struct error *err)
{
    const struct call call = {.host = host,
                              .pf = pf,
                              .change = change,
                              .fault = fault,
                              .context = context,
                              .err = err};
    int result = 0;
    switch (change->step) {
    case STEP_AUTOPROBE:
        result = set_autoprobe(&call);
        break;
    case STEP_ZERO:
        result = set_zero(&call);
        break;
    case STEP_COUNT:
        result = set_count(&call);
        break;
    case STEP_LINK:
        break;
    case STEP_BRIDGE:
        result = set_bridge(&call);
        break;
    default:
        return prove(&call);
    }
    bool back = change->link_lost && (result < 0 || change->step == STEP_LINK);
    if (back) {
        change->link_lost = false;
        sim_pf_set_link(host, pf, true);
    }
    if (result != 0)
        return result;
    change->step++;
    sim_host_notify(host, pf); /* so that the caller asks again */
    return 1;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* How PFs and VFs look to clients: what the agent reported, overlaid with what
 * the operator set and what is claimed. Absent facts are null. */
#include "scheduler/handlers/api.h"

#include "common/base/str.h"

#include <string.h>

size_t view_free_vfs(const struct host_view *view, const struct pf *pf)
{
    size_t free_count = 0;
    const struct pf_setting *setting = host_pf_setting(view->host, &pf->key);
    if (pf->management || !setting || !setting->allowed)
        return 0;
    for (size_t i = 0; i < pf->vf_count; i++)
        free_count += pf->vfs[i].state == VF_FREE;
    for (size_t i = 0; i < view->claim_count; i++) {
        const struct claim_entry *claim = &view->claims[i];
        const struct vf *vf = pf_key_compare(&claim->pf, &pf->key) == 0
                                  ? pf_vf(pf, claim->vf_index)
                                  : NULL;
        free_count -= vf && vf->state == VF_FREE;
    }
    return free_count;
}

enum vf_state view_vf_state(const struct snapshot *snapshot,
                            const struct host_view *host, const struct pf *pf,
                            const struct vf *vf)
{
    const struct port *port = NULL;
    const struct vm *vm =
        snapshot_vf_owner(snapshot, host, &pf->key, vf->index, &port);
    if (vm && vf->state == VF_FREE)
        return vm->state == VM_DELETING ? VF_CLEANING : VF_CLAIMED;
    return (enum vf_state)vf->state;
}

/* Who holds it: a VF, or a PF as a whole. */
static void set_owner(json_t *object, const struct vm *vm,
                      const struct port *port)
{
    wire_set(object, "vm_id", vm ? wire_uuid(&vm->id) : json_null());
    wire_set(object, "vm_name", vm ? wire_text(vm->name) : json_null());
    wire_set(object, "port_name", port ? wire_text(port->name) : json_null());
}

json_t *view_vf(const struct snapshot *snapshot, const struct host_view *host,
                const struct pf *pf, const struct vf *vf)
{
    const struct port *port = NULL;
    const struct vm *vm =
        snapshot_vf_owner(snapshot, host, &pf->key, vf->index, &port);
    json_t *object = wire_vf(pf, vf);
    wire_set(object, "host", wire_text(host->host->name));
    wire_set(object, "pf", wire_text(pf->key.text));
    wire_set(object, "kind",
             wire_text(device_kind_name((enum device_kind)pf->kind)));
    wire_set(object, "vendor_id", wire_hex16(pf->vendor_id));
    wire_set(object, "device_id", wire_hex16(pf->vf_device_id));
    wire_set(object, "state",
             wire_text(vf_state_name(view_vf_state(snapshot, host, pf, vf))));
    wire_set(object, "reported_state",
             wire_text(vf_state_name((enum vf_state)vf->state)));
    set_owner(object, vm, port);
    /* Else stays whom the agent holds it for. */
    if (port)
        wire_set(object, "port_id", wire_uuid(&port->id));
    return object;
}

/* ---- PFs ------------------------------------------------------------------ */

/* The agent's word on the settings as they are now, or NULL. */
static const struct observed_pf *word_on(const struct host_view *host,
                                         const struct pf_setting *setting)
{
    const struct observed_pf *observed = host_view_pf(host, &setting->key);
    bool current = observed && revision_compare(&observed->revision,
                                                &setting->revision) >= 0;
    return current ? observed : NULL;
}

/* Is anything set that the agent carries out? */
static bool is_configured(const struct pf_setting *setting)
{
    return setting &&
           (setting->has_num_vfs || setting->autoprobe != AUTOPROBE_NONE ||
            setting->bridge_mode != BRIDGE_NONE);
}

enum pf_phase view_pf_phase(const struct host_view *host,
                            const struct pf_key *key)
{
    const struct pf_setting *setting = host_pf_setting(host->host, key);
    if (!is_configured(setting))
        return PF_PHASE_MAX;
    const struct observed_pf *observed = word_on(host, setting);
    return observed ? (enum pf_phase)observed->phase : PF_PENDING;
}

static json_t *configuration(const struct host_view *host,
                             const struct pf_setting *setting)
{
    struct condition waiting = {.type = "PfConfigured",
                                .status = CONDITION_UNKNOWN,
                                .reason = "WaitingForAgent",
                                .message = "the agent has not yet said that it "
                                           "has these settings"};
    if (!is_configured(setting))
        return json_null();
    const struct observed_pf *observed = word_on(host, setting);
    json_t *object = json_object();
    wire_set(object, "phase",
             wire_text(pf_phase_name(view_pf_phase(host, &setting->key))));
    wire_set(object, "revision", wire_revision(&setting->revision));
    wire_set(object, "condition",
             wire_condition(observed ? &observed->condition : &waiting));
    return object;
}

/* Guaranteed send rates, seen from the VMs, against what the link bears now. */
static json_t *bandwidth(const struct host_view *host, const struct pf *pf)
{
    struct pf_promise promise = host_view_promise(host, pf);
    json_t *object = json_object();
    wire_set(object, "promised_mbps", wire_number(promise.promised_mbps));
    wire_set(object, "promisable_mbps",
             promise.promisable_mbps ? wire_number(promise.promisable_mbps)
                                     : json_null());
    wire_set(object, "over_promised_mbps",
             wire_number(promise.over
                             ? promise.promised_mbps - promise.promisable_mbps
                             : 0));
    return object;
}

static void set_settings(json_t *object, const struct pf_setting *setting)
{
    json_t *settings = json_object();
    wire_set(object, "allowed", json_boolean(setting->allowed));
    wire_set(object, "physical_network", wire_text(setting->physical_network));
    wire_set(object, "link_speed_mbps", wire_number(setting->link_speed_mbps));
    wire_pf_setting(settings, setting);
    wire_set(object, "settings", settings);
}

static void set_vfs(json_t *object, const struct snapshot *snapshot,
                    const struct host_view *host, const struct pf *pf,
                    bool with_vfs)
{
    size_t counts[VF_STATE_MAX] = {0};
    json_t *states = json_object(), *vfs = json_array();
    for (size_t i = 0; i < pf->vf_count; i++) {
        counts[view_vf_state(snapshot, host, pf, &pf->vfs[i])]++;
        if (with_vfs)
            json_array_append_new(vfs,
                                  view_vf(snapshot, host, pf, &pf->vfs[i]));
    }
    for (int i = 0; i < VF_STATE_MAX; i++)
        wire_set(states, vf_state_name((enum vf_state)i),
                 wire_number(counts[i]));
    wire_set(object, "vf_counts", states);
    wire_set(object, "free_vf_count", wire_number(view_free_vfs(host, pf)));
    if (with_vfs)
        wire_set(object, "vfs", vfs);
    else
        json_decref(vfs);
}

json_t *view_pf(const struct snapshot *snapshot, const struct host_view *host,
                const struct pf *pf, bool with_vfs)
{
    const struct pf_setting *found = host_pf_setting(host->host, &pf->key);
    const struct pf_setting setting = found ? *found : pf_setting_new(&pf->key);
    const struct capabilities capabilities = pf_capabilities(pf, &setting);
    const struct port *port = NULL;
    const struct vm *vm =
        snapshot_vf_owner(snapshot, host, &pf->key, CLAIM_WHOLE_PF, &port);
    json_t *object = wire_pf(pf, false);
    wire_set(object, "host", wire_text(host->host->name));
    wire_set(object, "generation", wire_number(host->host->generation));
    wire_set(object, "capabilities", wire_capabilities(&capabilities));
    set_settings(object, &setting);
    wire_set(object, "configuration", configuration(host, &setting));
    wire_set(object, "bandwidth", bandwidth(host, pf));
    set_owner(object, vm, port);
    wire_set(object, "port_id", port ? wire_uuid(&port->id) : json_null());
    set_vfs(object, snapshot, host, pf, with_vfs);
    return object;
}

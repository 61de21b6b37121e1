/* SPDX-License-Identifier: Apache-2.0 */
/* What operators set for a PF: may it be used, on which network, how many VFs,
 * what it is known to do. Everything is checked first and changed afterwards;
 * what the agent carries out takes the next revision of its document. */
#include "scheduler/core/internal.h"

#include "common/base/str.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* One patch of one PF as it is checked. */
struct change {
    const struct host_view *view;
    const struct pf_key *key;
    const struct pf_setting *setting; /* NULL: none yet */
    const struct pf *pf;              /* NULL: not in the last report */
    const struct pf_patch *patch;
};

static size_t pf_claims(const struct change *change)
{
    const struct host_view *view = change->view;
    size_t first = view_first_claim(view, change->key);
    size_t at = first;
    while (at < view->claim_count &&
           pf_key_compare(&view->claims[at].pf, change->key) == 0)
        at++;
    return at - first;
}

/* ---- what the scheduler alone needs to know ---------------------------------- */

static int check_network(const struct change *change, struct error *err)
{
    const struct pf_patch *patch = change->patch;
    if (!patch->has_physical_network)
        return 0;
    if (*patch->physical_network && !str_is_name(patch->physical_network))
        return error_set_field(err, ERROR_INVALID, "physical_network",
                               "'%s' is no physical network's name",
                               patch->physical_network);
    const char *old = change->setting ? change->setting->physical_network : "";
    size_t claims = pf_claims(change);
    if (!claims || strcmp(old, patch->physical_network) == 0)
        return 0;
    error_fill(err, ERROR_IN_USE, 0, "physical_network",
               "PF %s has %zu claims on physical network '%s'",
               change->key->text, claims, old);
    error_remedy(err, "delete the VMs that use its VFs first");
    return -1;
}

static int check_ratio(const struct change *change, struct error *err)
{
    const struct pf_patch *patch = change->patch;
    struct pf_setting settled =
        change->setting ? *change->setting : pf_setting_new(change->key);
    uint32_t old = settled.tx_ratio_percent ? settled.tx_ratio_percent : 100;
    if (!patch->has_tx_ratio)
        return 0;
    if (patch->tx_ratio_percent < 1 ||
        patch->tx_ratio_percent > TX_RATIO_MAX_PERCENT)
        return error_set_field(err, ERROR_INVALID, "tx_ratio_percent",
                               "%u is not between 1 and %u percent",
                               patch->tx_ratio_percent, TX_RATIO_MAX_PERCENT);
    if (!change->pf || patch->tx_ratio_percent >= old)
        return 0;
    struct pf_promise now = host_view_promise(change->view, change->pf);
    settled.tx_ratio_percent = patch->tx_ratio_percent;
    uint64_t then = pf_promisable_mbps(change->pf, &settled);
    if (!now.promisable_mbps || now.promised_mbps <= then)
        return 0;
    error_fill(err, ERROR_IN_USE, 0, "tx_ratio_percent",
               "%zu ports hold %" PRIu64
               " Mbit/s of PF %s as min_tx_rate_mbps; "
               "at %u percent only %" PRIu64 " could be promised",
               now.ports, now.promised_mbps, change->key->text,
               patch->tx_ratio_percent, then);
    error_remedy(err, "delete VMs with a min_tx_rate_mbps there first");
    return -1;
}

static int check_word(const struct change *change, const char *name,
                      const struct capability *word,
                      const struct capability *known, struct error *err)
{
    char field[64];
    snprintf(field, sizeof field, "capabilities.%s", name);
    if (word->support >= CAPABILITY_SUPPORT_MAX ||
        word->needs >= CAPABILITY_NEED_BIT(CAPABILITY_NEED_MAX))
        return error_set_field(err, ERROR_INVALID, field,
                               "is not a known support or need");
    bool claims_it = word->support == CAPABILITY_SUPPORTED ||
                     word->support == CAPABILITY_CONDITIONAL;
    if (!claims_it || !known || known->support != CAPABILITY_UNSUPPORTED ||
        known->source != CAPABILITY_SOURCE_PROBED)
        return 0;
    error_fill(err, ERROR_CONFLICT, 0, field,
               "a probe proved that PF %s does not support %s%s%s",
               change->key->text, name, *known->note ? ": " : "", known->note);
    error_remedy(err,
                 "a word can't make it work; a newer driver or firmware is "
                 "probed again by itself");
    return -1;
}

static int check_words(const struct change *change, struct error *err)
{
    const struct capabilities *words = &change->patch->words;
    const struct capabilities *known =
        change->pf ? &change->pf->capabilities : NULL;
    if (!change->patch->has_words)
        return 0;
    for (int i = 0; i < POLICY_FIELD_MAX; i++)
        if (check_word(change, policy_field_name((enum policy_field)i),
                       &words->field[i], known ? &known->field[i] : NULL, err))
            return -1;
    for (int i = 0; i < CAPABILITY_TRAIT_MAX; i++)
        if (check_word(change, capability_trait_name((enum capability_trait)i),
                       &words->trait[i], known ? &known->trait[i] : NULL, err))
            return -1;
    return 0;
}

/* ---- what the agent carries out ------------------------------------------------ */

static int refuse_management(const struct change *change, bool asked,
                             const char *field, struct error *err)
{
    if (!asked || !change->pf || !change->pf->management)
        return 0;
    error_fill(err, ERROR_CONFLICT, 0, field,
               "PF %s carries the host's own traffic (%s) and is never %s",
               change->key->text, change->pf->management_reason,
               strcmp(field, "allowed") == 0 ? "used" : "changed");
    error_remedy(err, "take another PF, or move the host's traffic off this "
                      "one first");
    return -1;
}

static int refuse_without_sriov(const struct change *change, bool asked,
                                const char *field, struct error *err)
{
    if (!asked || !change->pf || change->pf->total_vfs)
        return 0;
    error_fill(err, ERROR_CONFLICT, 0, field, "PF %s has no SR-IOV",
               change->key->text);
    error_remedy(err, "a network PF without VFs can be given as a whole "
                      "(direct-physical); some have SR-IOV switched off in "
                      "their firmware settings");
    return -1;
}

/* The VFs of the PF that are not ours to take away, beside what is claimed. */
struct strangers {
    size_t external, held;
};
static struct strangers count_strangers(const struct change *change)
{
    struct strangers count = {0};
    const struct host_report *report = change->view->report;
    for (size_t i = 0; i < change->pf->vf_count; i++)
        count.external += change->pf->vfs[i].state == VF_EXTERNAL;
    for (size_t i = 0; i < report->port_count; i++) {
        const struct observed_port *port = &report->ports[i];
        count.held += port->has_claim && port->phase != PORT_ABSENT &&
                      pf_key_compare(&port->claim.pf, change->key) == 0 &&
                      view_find_claim(change->view, change->key,
                                      port->claim.vf_index) < 0;
    }
    return count;
}

/* Making another number of VFs takes all of them away first. */
static int refuse_used_vfs(const struct change *change, struct error *err)
{
    size_t claims = pf_claims(change);
    struct strangers others = count_strangers(change);
    if (!claims && !others.external && !others.held)
        return 0;
    if (view_find_claim(change->view, change->key, CLAIM_WHOLE_PF) >= 0)
        error_fill(err, ERROR_IN_USE, 0, "num_vfs",
                   "PF %s is claimed as a whole: its VF count stays %u",
                   change->key->text, change->pf->num_vfs);
    else
        error_fill(err, ERROR_IN_USE, 0, "num_vfs",
                   "PF %s has %zu VFs claimed, %zu held by the agent for a "
                   "port, %zu used by something else on the host: its VF count "
                   "stays %u",
                   change->key->text, claims, others.held, others.external,
                   change->pf->num_vfs);
    error_remedy(err, claims ? "delete the VMs that use them and wait until "
                               "they are gone"
                             : "end what uses them on the host");
    return -1;
}

static int check_num_vfs(const struct change *change, struct error *err)
{
    const struct pf_patch *patch = change->patch;
    const struct pf *pf = change->pf;
    if (!patch->has_num_vfs || patch->num_vfs_observed)
        return 0;
    if (!pf) {
        error_fill(err, ERROR_CONFLICT, 0, "num_vfs",
                   "PF %s is not in the last report of host '%s': nobody knows "
                   "how many VFs it allows",
                   change->key->text, change->view->host->name);
        error_remedy(err, "wait until the host's agent reports it");
        return -1;
    }
    if (refuse_management(change, true, "num_vfs", err) ||
        refuse_without_sriov(change, true, "num_vfs", err))
        return -1;
    if (patch->num_vfs > pf->total_vfs) {
        error_fill(err, ERROR_INVALID, 0, "num_vfs",
                   "%u is more than the %u VFs that the firmware of PF %s "
                   "allows",
                   patch->num_vfs, pf->total_vfs, change->key->text);
        error_remedy(err, "some NICs let the limit be raised in their firmware "
                          "settings, which takes a boot");
        return -1;
    }
    return patch->num_vfs == pf->num_vfs ? 0 : refuse_used_vfs(change, err);
}

static int check_modes(const struct change *change, struct error *err)
{
    const struct pf_patch *patch = change->patch;
    const char *const autoprobe = "vf_drivers_autoprobe";
    if (patch->has_autoprobe && patch->autoprobe >= AUTOPROBE_MAX)
        return error_set_field(err, ERROR_INVALID, autoprobe, "is on or off");
    if (patch->has_bridge_mode && patch->bridge_mode >= BRIDGE_MODE_MAX)
        return error_set_field(err, ERROR_INVALID, "bridge_mode",
                               "is veb or vepa");
    bool probes = patch->has_autoprobe && patch->autoprobe != AUTOPROBE_NONE;
    bool bridges = patch->has_bridge_mode && patch->bridge_mode != BRIDGE_NONE;
    if (refuse_management(change, probes, autoprobe, err) ||
        refuse_without_sriov(change, probes, autoprobe, err) ||
        refuse_management(change, bridges, "bridge_mode", err))
        return -1;
    if (!bridges || !change->pf || change->pf->kind == DEVICE_NETWORK)
        return 0;
    error_fill(err, ERROR_CONFLICT, 0, "bridge_mode",
               "PF %s is no network device (%s): it has no embedded switch",
               change->key->text,
               device_kind_name((enum device_kind)change->pf->kind));
    error_remedy(err, "leave bridge_mode out");
    return -1;
}

static int check_change(const struct change *change, struct error *err)
{
    const struct pf_patch *patch = change->patch;
    if (!change->setting && !change->pf)
        return error_set(err, ERROR_NOT_FOUND, "host '%s' has no PF '%s'",
                         change->view->host->name, change->key->text);
    if (core_check_generation(change->view->host, patch->has_generation,
                              patch->generation, err) ||
        refuse_management(change, patch->has_allowed && patch->allowed,
                          "allowed", err))
        return -1;
    if (patch->has_link_speed && patch->link_speed_mbps > LINK_SPEED_MAX_MBPS)
        return error_set_field(err, ERROR_INVALID, "link_speed_mbps",
                               "%u is above %u", patch->link_speed_mbps,
                               LINK_SPEED_MAX_MBPS);
    if (check_network(change, err) || check_ratio(change, err) ||
        check_words(change, err) || check_num_vfs(change, err) ||
        check_modes(change, err))
        return -1;
    return 0;
}

/* ---- the change -------------------------------------------------------------------- */

/* A copy of the host with a place for this PF's setting. */
static struct host *with_setting(const struct host *old,
                                 const struct pf_key *key,
                                 struct pf_setting **setting)
{
    struct host *host = host_dup(old);
    host->generation++;
    size_t at = 0;
    while (at < host->pf_setting_count &&
           pf_key_compare(&host->pf_settings[at].key, key) < 0)
        at++;
    *setting = &host->pf_settings[at];
    if (at < host->pf_setting_count &&
        pf_key_compare(&(*setting)->key, key) == 0)
        return host;
    host->pf_settings =
        mem_realloc(host->pf_settings, host->pf_setting_count + 1,
                    sizeof *host->pf_settings);
    *setting = &host->pf_settings[at];
    memmove(*setting + 1, *setting,
            (host->pf_setting_count - at) * sizeof **setting);
    host->pf_setting_count++;
    **setting = pf_setting_new(key);
    return host;
}

static struct capability word_of(const struct capability *said)
{
    struct capability word = {.note = ""};
    if (said->support == CAPABILITY_UNKNOWN)
        return word;
    word = *said;
    word.source = CAPABILITY_SOURCE_OPERATOR;
    if (word.support != CAPABILITY_CONDITIONAL)
        word.needs = 0;
    if (!word.note)
        word.note = "";
    return word;
}

static void settle(struct pf_setting *setting, const struct pf_patch *patch)
{
    if (patch->has_allowed)
        setting->allowed = patch->allowed;
    if (patch->has_physical_network)
        str_copy(setting->physical_network, patch->physical_network);
    if (patch->has_link_speed)
        setting->link_speed_mbps = patch->link_speed_mbps;
    if (patch->has_tx_ratio)
        setting->tx_ratio_percent = patch->tx_ratio_percent;
    if (patch->has_num_vfs) {
        setting->has_num_vfs = !patch->num_vfs_observed;
        setting->num_vfs = patch->num_vfs_observed ? 0 : patch->num_vfs;
    }
    if (patch->has_autoprobe)
        setting->autoprobe = patch->autoprobe;
    if (patch->has_bridge_mode)
        setting->bridge_mode = patch->bridge_mode;
    for (int i = 0; patch->has_words && i < POLICY_FIELD_MAX; i++)
        setting->words.field[i] = word_of(&patch->words.field[i]);
    for (int i = 0; patch->has_words && i < CAPABILITY_TRAIT_MAX; i++)
        setting->words.trait[i] = word_of(&patch->words.trait[i]);
}

/* Is there anything new for the agent, or is it to try again? */
static bool is_for_agent(const struct change *change,
                         const struct pf_setting *new)
{
    const struct pf_patch *patch = change->patch;
    struct pf_setting old =
        change->setting ? *change->setting : pf_setting_new(change->key);
    if (old.allowed != new->allowed || old.has_num_vfs != new->has_num_vfs ||
        old.num_vfs != new->num_vfs || old.autoprobe != new->autoprobe ||
        old.bridge_mode != new->bridge_mode)
        return true;
    const struct observed_pf *seen = host_view_pf(change->view, change->key);
    return (patch->has_num_vfs || patch->has_autoprobe ||
            patch->has_bridge_mode) &&
           seen && (seen->phase == PF_REJECTED || seen->phase == PF_FAILED) &&
           revision_compare(&seen->revision, &old.revision) == 0;
}

static void tell_setting(struct str *text, const struct pf_setting *setting)
{
    str_add(text, setting->allowed ? "allowed" : "not allowed");
    str_printf(text, ", physical network '%s'", setting->physical_network);
    if (setting->has_num_vfs)
        str_printf(text, ", %u VFs", setting->num_vfs);
    if (setting->autoprobe != AUTOPROBE_NONE)
        str_printf(text, ", driver autoprobe %s",
                   autoprobe_name((enum autoprobe)setting->autoprobe));
    if (setting->bridge_mode != BRIDGE_NONE)
        str_printf(text, ", bridge mode %s",
                   bridge_mode_name((enum bridge_mode)setting->bridge_mode));
    if (setting->tx_ratio_percent)
        str_printf(text, ", min rates up to %u %% of the link",
                   setting->tx_ratio_percent);
}

int core_pf_patch(struct core *core, const struct core_call *call,
                  const char *name, const struct pf_key *pf,
                  const struct pf_patch *patch, struct tx *tx,
                  struct error *err)
{
    struct change change = {
        .view = core_find_host(core, name, err), .key = pf, .patch = patch};
    if (!change.view)
        return -1;
    change.setting = host_pf_setting(change.view->host, pf);
    if (change.view->report)
        change.pf = inventory_pf(change.view->report->inventory, pf);
    if (check_change(&change, err))
        return -1;
    struct pf_setting *setting = NULL;
    struct host *host = with_setting(change.view->host, pf, &setting);
    settle(setting, patch);
    if (is_for_agent(&change, setting))
        setting->revision = core_next_revision(core, change.view);
    core_change(core, tx, RECORD_HOST, change.view->host, host);
    auto_str struct str text = {0};
    tell_setting(&text, setting);
    core_event(core, call, tx, (struct event_about){.host = host->name},
               "PfChanged", "OperatorRequest", "PF %s of host '%s': %s",
               pf->text, host->name, str_text(&text));
    core_tell_promises(core, call, tx, host->name);
    return 0;
}

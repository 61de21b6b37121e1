/* SPDX-License-Identifier: Apache-2.0 */
/* The rules of what may be touched, as one table; and what dirt is. */
#include "agent/core/internal.h"
#include "common/base/str.h"

#include <stdio.h>
#include <string.h>

/* ---- the rule table ------------------------------------------------------------- */

struct facts {
    const struct pf *pf;        /* NULL = not on the host now */
    const struct vf *vf;        /* NULL = the PF has no such VF now */
    const struct entry *holder; /* who holds the VF */
    const struct mac *mac;      /* of the port that wants it */
    bool whole;                 /* the claim is of the PF itself */
    bool changing;              /* the PF itself is being changed */
    bool waits;                 /* a change of it waits for a probe's end */
    bool own;                   /* who uses the VF is the VM that wants it */
    bool unheld;                /* its MAC is to be held first */
    const char *vm_stays;       /* its VM is to go first: why it has not */
};

static bool pf_is_gone(const struct facts *f)
{
    return !f->pf;
}

static bool pf_is_management(const struct facts *f)
{
    return f->pf->management;
}

static bool vf_is_gone(const struct facts *f)
{
    return !f->whole && !f->vf;
}

static bool pf_has_vfs(const struct facts *f)
{
    return f->whole && f->pf->num_vfs > 0;
}

static bool pf_is_used(const struct facts *f)
{
    return f->whole && f->pf->used_by[0] != '\0' && !f->own;
}

static void say_has_vfs(const struct facts *f, char *text, size_t size)
{
    snprintf(text, size,
             "the PF has %u VFs, so it can't be given away as a whole; set its "
             "VF count to 0, or use another PF",
             f->pf->num_vfs);
}

static void say_pf_used(const struct facts *f, char *text, size_t size)
{
    snprintf(text, size,
             "the host uses the PF itself (%s); take it out of that use, or "
             "use another PF",
             f->pf->used_by);
}

static void say_pf_in_use(const struct facts *f, char *text, size_t size)
{
    snprintf(text, size,
             "the PF is released but still in use (%s); it is free when that "
             "has let it go",
             f->pf->used_by);
}

static bool vf_is_held(const struct facts *f)
{
    return f->holder != NULL;
}

static bool vf_is_used(const struct facts *f)
{
    return f->vf && f->vf->state == VF_EXTERNAL && !f->own;
}

static bool vf_is_plugged(const struct facts *f)
{
    return f->holder && f->holder->plugged;
}

static bool vm_stays(const struct facts *f)
{
    return f->vm_stays != NULL;
}

static bool mac_is_unheld(const struct facts *f)
{
    return f->unheld;
}

static void say_plugged(const struct facts *f, char *text, size_t size)
{
    (void)f;
    snprintf(text, size,
             "a running domain has the VF; it is cleaned when the guest has "
             "let it go");
}

static void say_vm_stays(const struct facts *f, char *text, size_t size)
{
    snprintf(text, size, "%s", f->vm_stays);
}

static void say_unheld(const struct facts *f, char *text, size_t size)
{
    (void)f;
    snprintf(text, size,
             "the port's MAC is put on the uplink's own filter first, so that "
             "its virtio leg goes on");
}

/* A dirty VF is taken only by the port whose MAC is on it: then it was set for
 * this port before our state was lost. */
static bool vf_is_dirty(const struct facts *f)
{
    if (!f->vf || *vf_dirt(f->vf) == '\0')
        return false;
    return !f->mac || !policy_has(&f->vf->policy, POLICY_MAC) ||
           mac_compare(f->mac, &f->vf->policy.mac) != 0;
}

static bool pf_is_changing(const struct facts *f)
{
    return f->changing;
}

static bool pf_change_waits(const struct facts *f)
{
    return f->waits;
}

static void say_changing(const struct facts *f, char *text, size_t size)
{
    (void)f;
    snprintf(text, size,
             "the PF's VF count or mode is being changed; it goes on when that "
             "is confirmed or undone");
}

static void say_gone(const struct facts *f, char *text, size_t size)
{
    (void)f;
    snprintf(text, size,
             "the device is not on the host now; it goes on when "
             "the device is back");
}

static void say_management(const struct facts *f, char *text, size_t size)
{
    snprintf(text, size,
             "the PF carries the host's own traffic (%s) and is never touched; "
             "place the VM on another PF",
             *f->pf->management_reason ? f->pf->management_reason : "see host");
}

static void say_no_vf(const struct facts *f, char *text, size_t size)
{
    snprintf(text, size,
             "the PF has %u VFs now and this one is not among them; it goes on "
             "when it is back (sriov_numvfs)",
             f->pf->num_vfs);
}

static void say_held(const struct facts *f, char *text, size_t size)
{
    char id[UUID_TEXT_SIZE];
    if (uuid_is_zero(&f->holder->m.port))
        snprintf(text, size,
                 "the VF is still being probed or cleaned (%s); it goes on "
                 "when that is over",
                 managed_phase_name((enum managed_phase)f->holder->m.phase));
    else
        snprintf(
            text, size,
            "the VF is held for port %s (%s); delete that port, or wait "
            "until it is clean",
            uuid_format(&f->holder->m.port, id),
            f->holder->m.unknown
                ? "unknown_to_scheduler"
                : managed_phase_name((enum managed_phase)f->holder->m.phase));
}

static void say_used(const struct facts *f, char *text, size_t size)
{
    snprintf(text, size,
             "something else uses the VF (%s); detach it, or use another VF",
             *f->vf->reason ? f->vf->reason : "external");
}

static void say_in_use(const struct facts *f, char *text, size_t size)
{
    snprintf(text, size,
             "the VF is released but still in use (%s); it is cleaned when the "
             "VM has stopped or let it go",
             *f->vf->reason ? f->vf->reason : "external");
}

static void say_dirty(const struct facts *f, char *text, size_t size)
{
    snprintf(text, size,
             "the VF does not read clean (%s) and nobody knows who set it; put "
             "it back by ip-link, then it is taken",
             vf_dirt(f->vf));
}

/* In this order; the first that holds forbids. */
static const struct rule {
    bool (*holds)(const struct facts *facts);
    unsigned purposes; /* enum purpose, or-ed */
    const char *reason;
    void (*say)(const struct facts *facts, char *text, size_t size);
} rules[] = {
    {pf_is_gone, PURPOSE_TAKE | PURPOSE_APPLY | PURPOSE_CLEAN | PURPOSE_PROBE,
     "VfVanished", say_gone},
    {pf_is_management,
     PURPOSE_TAKE | PURPOSE_APPLY | PURPOSE_CLEAN | PURPOSE_PROBE,
     "PfIsManagement", say_management},
    {pf_is_changing,
     PURPOSE_TAKE | PURPOSE_APPLY | PURPOSE_CLEAN | PURPOSE_PROBE, "PfChanging",
     say_changing},
    {pf_change_waits, PURPOSE_PROBE, "PfChanging", say_changing},
    {vf_is_gone, PURPOSE_TAKE | PURPOSE_APPLY | PURPOSE_CLEAN | PURPOSE_PROBE,
     "VfVanished", say_no_vf},
    {pf_has_vfs, PURPOSE_TAKE, "PfHasVfs", say_has_vfs},
    {vf_is_held, PURPOSE_TAKE | PURPOSE_PROBE, "VfHeld", say_held},
    {vf_is_used, PURPOSE_TAKE | PURPOSE_PROBE, "VfExternal", say_used},
    {vf_is_plugged, PURPOSE_CLEAN, "VfPlugged", say_plugged},
    {vm_stays, PURPOSE_CLEAN, "VmNotGone", say_vm_stays},
    {mac_is_unheld, PURPOSE_APPLY, "MacNotHeld", say_unheld},
    {vf_is_used, PURPOSE_CLEAN, "VfInUse", say_in_use},
    {pf_is_used, PURPOSE_TAKE, "PfExternal", say_pf_used},
    {pf_is_used, PURPOSE_CLEAN, "PfInUse", say_pf_in_use},
    {vf_is_dirty, PURPOSE_TAKE | PURPOSE_PROBE, "VfNotClean", say_dirty},
};

/* The domain goes before its VFs; one that is being started may have them any
 * moment. */
static const char *why_vm_stays(const struct reconcile *r,
                                const struct managed *m, int64_t now)
{
    const struct vm_slot *vm = vm_at(r, &m->vm);
    const struct want *want = want_of(r, &m->port);
    if (want && now < want->way.plug_until)
        return "libvirt was told to plug it in, and that may yet have its "
               "effect";
    if (!vm)
        return NULL;
    bool starts =
        vm->started_at || (vm->order.active && vm->order.kind == DOMAIN_START);
    if (starts)
        return "its VM is being started; it is cleaned when the domain is "
               "known "
               "to run without it";
    bool managed = vm->has_record || (vm->wanted && vm->domain &&
                                      vm->d.lifecycle == LIFECYCLE_MANAGED);
    if (vm->wanted && vm->d.absent && managed && !vm_is_gone(r, vm))
        return "its VM's domain is destroyed and undefined first";
    return NULL;
}

/* Its own VM has it: our memory of it was lost, or the domain was there first. */
static bool is_own(const struct reconcile *r, const struct pf_key *pf,
                   uint16_t vf_index)
{
    for (size_t i = 0; i < r->want_count; i++) {
        const struct want *want = &r->wants[i];
        const struct claim *claim = &want->d.claim;
        bool here = want->way.plugged && want->way.right && want->d.has_claim &&
                    claim->vf_index == vf_index &&
                    pf_key_compare(&claim->pf, pf) == 0;
        if (here && !want->d.absent)
            return true;
    }
    return false;
}

bool rules_allow(const struct reconcile *r, enum purpose purpose,
                 const struct pf_key *pf, uint16_t vf_index,
                 const struct mac *mac, int64_t now,
                 struct condition *condition)
{
    const struct pf_slot *slot = slot_of(r, pf);
    const struct pf_work *work = work_of(r, pf);
    const struct pf_wish *want = pf_wish_of(r, pf);
    struct facts facts = {.changing = work && pf_change_runs(&work->c),
                          .waits = want && want->waits,
                          .whole = vf_index == CLAIM_WHOLE_PF,
                          .pf = slot ? slot->pf : NULL,
                          .vf = slot ? pf_vf(slot->pf, vf_index) : NULL,
                          .holder = entry_at(r, pf, vf_index),
                          .mac = mac};
    bool used = (facts.vf && facts.vf->state == VF_EXTERNAL) ||
                (facts.whole && facts.pf && *facts.pf->used_by);
    if (purpose == PURPOSE_TAKE && used)
        facts.own = is_own(r, pf, vf_index);
    if (purpose == PURPOSE_CLEAN && facts.holder)
        facts.vm_stays = why_vm_stays(r, &facts.holder->m, now);
    if (purpose == PURPOSE_APPLY && facts.holder)
        facts.unheld = hold_is_awaited(r, &facts.holder->m.port);
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        if (!(rules[i].purposes & purpose) || !rules[i].holds(&facts))
            continue;
        char text[200];
        rules[i].say(&facts, text, sizeof text);
        if (facts.whole)
            condition_fill(condition, now, CONDITION_FALSE, rules[i].reason, "",
                           "%s: %s", pf->text, text);
        else
            condition_fill(condition, now, CONDITION_FALSE, rules[i].reason, "",
                           "%s VF %u: %s", pf->text, vf_index, text);
        return false;
    }
    return true;
}

/* 52:54:00 is what KVM's tools and we give to ports; VF drivers' random MACs
 * don't begin so. */
static bool is_ports_mac(const struct policy *policy)
{
    const uint8_t *bytes = policy->mac.bytes;
    return policy_has(policy, POLICY_MAC) && bytes[0] == 0x52 &&
           bytes[1] == 0x54 && bytes[2] == 0;
}

/* What a driver's own defaults may be (spoofchk is off on some, a MAC is made
 * by VF drivers when they bind) says nothing about an owner. */
const char *vf_dirt(const struct vf *vf)
{
    struct policy clean = policy_clean();
    if (vf->observed_at == 0)
        return "its policy could not be read";
    clean.set &= ~(POLICY_BIT(POLICY_MAC) | POLICY_BIT(POLICY_SPOOFCHK));
    uint32_t bits =
        policy_difference(&clean, &vf->policy) & vf->policy.set & clean.set;
    if (is_ports_mac(&vf->policy))
        bits |= POLICY_BIT(POLICY_MAC);
    for (unsigned f = 0; f < POLICY_FIELD_MAX; f++) {
        if (!(bits & POLICY_BIT(f)))
            continue;
        char value[POLICY_VALUE_SIZE], text[64];
        snprintf(text, sizeof text, "%s %s",
                 policy_field_name((enum policy_field)f),
                 policy_value_text(&vf->policy, (enum policy_field)f, value));
        return str_intern(text);
    }
    return "";
}

uint64_t pf_signature(const struct pf *pf)
{
    char text[256];
    int length = snprintf(text, sizeof text, "%s|%s|%s|%d|%d|%u|%u", pf->driver,
                          pf->firmware, pf->netdev, pf->link_up,
                          pf->link_speed_mbps, pf->eswitch_mode, pf->num_vfs);
    return str_hash(text, (size_t)length);
}

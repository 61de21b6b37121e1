/* SPDX-License-Identifier: Apache-2.0 */
/* What is told of a port's way: PathReady, and why not. Nothing is decided here. */
#include "agent/core/internal.h"
#include "common/base/str.h"

#include <string.h>

#define PCI_VENDOR_VIRTIO 0x1af4

void way_condition(struct reconcile *r, struct want *want, int64_t now,
                   enum condition_status status, const char *reason,
                   const char *format, ...)
{
    struct condition before = want->way.condition;
    va_list list;
    va_start(list, format);
    condition_vfill(&want->way.condition, PATH_TYPE, now, status, reason, "",
                    format, list);
    va_end(list);
    if (memcmp(&before, &want->way.condition, sizeof before) != 0)
        r->changes++;
}

static void say_late(struct reconcile *r, struct want *want, int64_t now)
{
    const struct way *way = &want->way;
    const struct desired_port *d = &want->d;
    bool virtio = d->claim.vendor_id == PCI_VENDOR_VIRTIO &&
                  d->guest_failover == GUEST_FAILOVER_NET_FAILOVER;
    const char *why =
        "the guest does not use the VF that is plugged in: see its driver; the "
        "virtio leg carries the port";
    if (virtio)
        why = "the guest does not use the VF: a virtio device can't be the "
              "primary of net_failover; use guest_failover bond or another "
              "NIC; the virtio leg carries the port";
    else if (way->looked && !way->readable)
        why = "the VF is plugged in, but nothing tells whether the guest uses "
              "it (no interrupts of its own, no counters); the virtio leg "
              "stays ready";
    else if (!way->leg)
        why = "the guest does not use the VF that is plugged in: see its "
              "driver";
    way_condition(r, want, now, CONDITION_FALSE, "VfNotInUse", "%s", why);
}

static void say_virtio(struct reconcile *r, struct want *want, int64_t now)
{
    const struct way *way = &want->way;
    if (!way->leg)
        way_condition(r, want, now, CONDITION_FALSE, "NotAttached", "%s",
                      "the running domain has no device of this port; start it "
                      "anew with the XML that the VM's record gives");
    else if (want_has_vf(want))
        way_condition(r, want, now, CONDITION_FALSE, "NeedsRestart", "%s",
                      "the guest has no failover, so the VF comes with the "
                      "next start of the domain");
    else
        way_condition(r, want, now, CONDITION_TRUE, "OnVirtio", "%s",
                      "the virtio leg carries the port");
}

/* Plugging waits for a VF whose policy is refused, or that can't be taken. */
static bool is_unready(const struct reconcile *r, const struct want *want)
{
    const struct claim *claim = &want->d.claim;
    const struct entry *entry = entry_at(r, &claim->pf, claim->vf_index);
    if (want->way.phase != WAY_PLUGGING)
        return false;
    return want->blocked || (entry && entry->m.phase == MANAGED_FAILED);
}

static void say_plugging(struct reconcile *r, struct want *want, int64_t now)
{
    if (is_unready(r, want))
        way_condition(r, want, now, CONDITION_FALSE, "VfNotReady", "%s",
                      "the VF does not take the policy (PolicyApplied tells "
                      "why); the virtio leg carries the port");
    else if (*want->way.failure)
        way_condition(r, want, now, CONDITION_FALSE, "PlugFailed",
                      "%.150s; it is tried again by itself, the virtio leg "
                      "carries the port",
                      want->way.failure);
    else
        way_condition(r, want, now, CONDITION_UNKNOWN, "Accelerating", "%s",
                      "the VF is being made ready and plugged in; the virtio "
                      "leg carries the port");
}

static void say_kept(struct reconcile *r, struct want *want, int64_t now)
{
    if (*want->way.failure)
        way_condition(r, want, now, CONDITION_FALSE, "UnplugFailed",
                      "%.150s; the VF carries the port; decelerate it again to "
                      "ask again",
                      want->way.failure);
    else
        way_condition(r, want, now, CONDITION_FALSE, "GuestKeepsDevice", "%s",
                      "the guest was asked for the VF and has not let it go, "
                      "so the VF carries the port; it goes on when the guest "
                      "does; decelerate it again to ask again");
}

static void say_plain(struct reconcile *r, struct want *want, int64_t now)
{
    const struct way *way = &want->way;
    bool there = way->plugged || way->leg;
    if (want_has_vf(want) || want->d.vnic_type == VNIC_MACVTAP)
        way_condition(r, want, now, there ? CONDITION_TRUE : CONDITION_FALSE,
                      there ? "Attached" : "NotAttached", "%s",
                      there ? "the domain has the device"
                            : "the running domain has no device of this port; "
                              "start it anew with the XML that the VM's record "
                              "gives");
    else
        way_condition(r, want, now, CONDITION_FALSE, "NeedsRestart", "%s",
                      "the running domain has the VF and no virtio leg; it "
                      "changes with the next start of the domain");
}

static void say_phase(struct reconcile *r, struct want *want, int64_t now)
{
    const struct way *way = &want->way;
    switch ((enum way_phase)way->phase) {
    case WAY_OFF:
        way_condition(r, want, now, CONDITION_UNKNOWN, "NotRunning", "%s",
                      "the VM's domain does not run here");
        break;
    case WAY_PLAIN:
        say_plain(r, want, now);
        break;
    case WAY_VIRTIO:
        say_virtio(r, want, now);
        break;
    case WAY_PLUGGING:
        say_plugging(r, want, now);
        break;
    case WAY_UNPROVEN:
        way_condition(r, want, now, CONDITION_UNKNOWN, "VfNotYetInUse",
                      "the VF is plugged in; the guest has not been seen to "
                      "use it yet%s",
                      way->leg ? ", the virtio leg carries the port" : "");
        break;
    case WAY_LATE:
        say_late(r, want, now);
        break;
    case WAY_VF:
        way_condition(r, want, now, CONDITION_TRUE, "VfInUse",
                      "the guest uses the VF (%s)",
                      evidence_name((enum evidence)way->evidence));
        break;
    case WAY_UNPLUGGING:
        way_condition(r, want, now, CONDITION_UNKNOWN, "Decelerating", "%s",
                      "the guest is asked to let go of the VF");
        break;
    case WAY_KEPT:
        say_kept(r, want, now);
        break;
    case WAY_PHASE_MAX:
        break;
    }
}

/* All that the words below depend on. */
static uint64_t facts_of(const struct reconcile *r, const struct want *want)
{
    const struct way *way = &want->way;
    const char *text = r->domains ? way->failure : r->domains_why;
    uint64_t bits = way->phase;
    const bool flags[] = {r->domains != NULL, r->no_libvirt,      way->leg,
                          way->plugged,       way->looked,        way->readable,
                          want_has_vf(want),  is_unready(r, want)};
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        bits = bits << 1 | flags[i];
    bits = (bits << 8 | way->evidence) << 1 | 1;
    return bits ^ (*text ? str_hash(text, strlen(text)) : 0);
}

void way_say(struct reconcile *r, struct want *want, int64_t now)
{
    uint64_t facts = facts_of(r, want);
    if (facts == want->way.said)
        return;
    want->way.said = facts;
    if (r->domains)
        say_phase(r, want, now);
    else if (r->no_libvirt)
        way_condition(r, want, now, CONDITION_UNKNOWN, "LibvirtNotAsked", "%s",
                      "the agent of this host asks no libvirt");
    else
        way_condition(r, want, now, CONDITION_UNKNOWN, "LibvirtUnreachable",
                      "libvirt tells nothing: %.150s",
                      *r->domains_why ? r->domains_why : "not asked yet");
}

void way_tell(const struct reconcile *r, const struct want *want,
              struct observed_way *out)
{
    const struct way *way = &want->way;
    memset(out, 0, sizeof *out);
    out->vf_plugged = way->plugged;
    out->virtio_plugged = way->leg;
    out->vf_in_use = way->in_use;
    out->evidence = way->in_use ? way->evidence : (uint8_t)EVIDENCE_NONE;
    out->in_use_at = way->in_use ? way->in_use_at : 0;
    out->held = hold_is_on(r, &want->d.id);
    str_copy(out->tap, way->tap);
    if (way->tap_read)
        out->virtio = way->virtio;
    out->condition = way->condition;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The policy of a virtio leg: the VLAN of its tap is the agent's to set, all else
 * is in the domain's XML; what the tap has is read back. */
#include "agent/core/internal.h"
#include "common/base/str.h"

#include <string.h>

#define TAP_RETRY_NS (500 * TIMESTAMP_MS)
#define TAP_FAILED_NS (10 * TIMESTAMP_SECOND)

enum tap_step { TAP_NONE, TAP_SET, TAP_READ, TAP_KNOWN };

/* What is compared: fields that are asked for and that a virtio leg can have;
 * MAC and VLAN always, because no VLAN is a VLAN too. */
static uint32_t tap_difference(const struct want *want, const struct policy *is)
{
    const uint32_t always = POLICY_BIT(POLICY_VLAN);
    const uint32_t can = POLICY_BIT(POLICY_MAC) | POLICY_BIT(POLICY_VLAN) |
                         POLICY_BIT(POLICY_MAX_TX_RATE_MBPS) |
                         POLICY_BIT(POLICY_SPOOFCHK) |
                         POLICY_BIT(POLICY_LINK_STATE);
    struct policy target = policy_target(&want->d.policy);
    uint32_t asked = (want->d.policy.set | always) & can;
    struct policy clean = policy_clean();
    uint32_t bits = 0;
    for (unsigned i = 0; i < POLICY_FIELD_MAX; i++) {
        enum policy_field field = (enum policy_field)i;
        if (!(asked & POLICY_BIT(i)))
            continue;
        bool told = policy_has(is, field);
        if (told ? !policy_field_equal(&target, is, field)
                 : !policy_field_equal(&target, &clean, field))
            bits |= POLICY_BIT(i);
    }
    return bits;
}

static bool has_tap(const struct want *want)
{
    const struct way *way = &want->way;
    return way->active && way->leg && *way->tap &&
           want->d.vnic_type != VNIC_MACVTAP;
}

bool way_tap_proven(const struct want *want)
{
    return !has_tap(want) || want->way.tap_condition.status == CONDITION_TRUE;
}

static void say(struct reconcile *r, struct want *want, int64_t now,
                enum condition_status status, const char *reason,
                const char *field, const char *format, ...)
    __attribute__((format(printf, 7, 8)));
static void say(struct reconcile *r, struct want *want, int64_t now,
                enum condition_status status, const char *reason,
                const char *field, const char *format, ...)
{
    struct condition before = want->way.tap_condition;
    va_list list;
    va_start(list, format);
    condition_vfill(&want->way.tap_condition, CONDITION_TYPE, now, status,
                    reason, field, format, list);
    va_end(list);
    if (memcmp(&before, &want->way.tap_condition, sizeof before) != 0)
        r->changes++;
}

static void begin(struct way *way)
{
    way->tap_step = way->tap_vlan ? TAP_SET : TAP_READ;
    way->tap_at = 0;
    way->tap_tries = 0;
}

void way_tap_plan(struct reconcile *r, struct want *want, int64_t now)
{
    struct way *way = &want->way;
    if (!r->domains)
        return;
    if (!has_tap(want)) {
        way->tap_step = TAP_NONE;
        way->tap_read = false;
        memset(&way->tap_condition, 0, sizeof way->tap_condition);
        return;
    }
    bool other = revision_compare(&way->tap_revision, &want->d.revision) != 0 ||
                 strcmp(way->tap_name, way->tap) != 0;
    if (way->tap_step != TAP_NONE && !other)
        return;
    way->tap_revision = want->d.revision;
    str_copy(way->tap_name, way->tap);
    say(r, want, now, CONDITION_UNKNOWN, "Applying", "", "%s",
        "the virtio leg's policy is being set and read");
    begin(way);
}

void ways_recheck(struct reconcile *r)
{
    for (size_t i = 0; i < r->want_count; i++) {
        if (r->wants[i].way.tap_step == TAP_KNOWN)
            r->wants[i].way.tap_at = 0;
    }
    for (size_t i = 0; i < r->uplink_count; i++)
        r->uplinks[i].next_at = 0;
}

bool way_tap_next(struct reconcile *r, struct want *want, int64_t now,
                  struct action *action, int64_t *wake)
{
    struct way *way = &want->way;
    (void)r;
    if (way->tap_step == TAP_NONE)
        return false;
    if (now < way->tap_at) {
        if (way->tap_at < *wake)
            *wake = way->tap_at;
        return false;
    }
    *action = (struct action){
        .kind = way->tap_step == TAP_SET ? ACTION_TAP_VLAN : ACTION_TAP_READ,
        .port = want->d.id};
    action->order.domain = way->domain;
    action->policy = policy_target(&want->d.policy);
    str_copy(action->netdev, way->tap);
    str_copy(action->bridge, way->bridge);
    return true;
}

static void set_done(struct reconcile *r, struct want *want, int64_t now,
                     const struct action_result *result)
{
    struct way *way = &want->way;
    if (!result->failed) {
        way->tap_step = TAP_READ;
        return;
    }
    bool often = ++way->tap_tries >= TRIES_MAX;
    way->tap_at = now + (often ? TAP_FAILED_NS : TAP_RETRY_NS);
    if (often || result->err.code == ERROR_UNSUPPORTED)
        say(r, want, now, CONDITION_FALSE, "FieldRefused", "vlan",
            "the VLAN of tap %s: %.140s; it is tried again by itself", way->tap,
            result->err.msg);
    if (result->err.code == ERROR_UNSUPPORTED)
        way->tap_at = now + WAY_AUDIT_NS;
    if (often)
        r->replan = true; /* the tap may be gone since */
}

static void differs(struct reconcile *r, struct want *want, int64_t now,
                    uint32_t bits)
{
    struct way *way = &want->way;
    enum policy_field field = (enum policy_field)__builtin_ctz(bits);
    struct policy target = policy_target(&want->d.policy);
    char asked[POLICY_VALUE_SIZE], is[POLICY_VALUE_SIZE];
    bool repairs = (bits & POLICY_BIT(POLICY_VLAN)) && way->tap_vlan &&
                   way->tap_tries < TRIES_MAX;
    way->tap_tries++;
    way->tap_step = repairs ? TAP_SET : TAP_READ;
    way->tap_at = now + (repairs ? 0 : TAP_FAILED_NS);
    policy_value_text(&target, field, asked);
    say(r, want, now, CONDITION_FALSE, "ReadBackDiffers",
        policy_field_name(field),
        "the virtio leg (tap %s) has %s %s, not %s; %s", way->tap,
        policy_field_name(field),
        policy_has(&way->virtio, field)
            ? policy_value_text(&way->virtio, field, is)
            : "not told",
        asked,
        repairs ? "it is being put back"
                : "it comes with the next start of the domain");
}

static void read_done(struct reconcile *r, struct want *want, int64_t now,
                      const struct action_result *result)
{
    struct way *way = &want->way;
    if (result->failed) {
        way->tap_at = now + TAP_FAILED_NS;
        way->tap_tries++;
        say(r, want, now, CONDITION_UNKNOWN, "ReadFailed", "",
            "the virtio leg (tap %s) can't be read: %.140s", way->tap,
            result->err.msg);
        return;
    }
    bool same = way->tap_read && way->virtio.set == result->policy.set &&
                policy_difference(&way->virtio, &result->policy) == 0;
    if (!same)
        r->changes++;
    way->tap_read = true;
    way->virtio = result->policy;
    uint32_t bits = tap_difference(want, &result->policy);
    if (bits) {
        differs(r, want, now, bits);
        return;
    }
    way->tap_step = TAP_KNOWN;
    way->tap_tries = 0;
    way->tap_at = now - now % WAY_AUDIT_NS + 2 * WAY_AUDIT_NS;
    say(r, want, now, CONDITION_TRUE, "ReadBackEqual", "", "%s",
        "the virtio leg has what was asked");
}

void way_tap_done(struct reconcile *r, struct want *want, int64_t now,
                  const struct action *action,
                  const struct action_result *result)
{
    if (strcmp(action->netdev, want->way.tap) != 0 ||
        want->way.tap_step == TAP_NONE)
        return; /* another one is there since */
    if (action->kind == ACTION_TAP_VLAN)
        set_done(r, want, now, result);
    else
        read_done(r, want, now, result);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The policy of a VF or port; what a PF can honour of it: capabilities.h.
 *
 * Words and ranges are those of ip-link(8) and the kernel's if_link.h:
 * rates in Mbit/s, 0 = unlimited; vlan 0 = none, 1-4094; vlan_qos 0-7 (802.1p)
 * only with a vlan; vlan_proto 802.1q or 802.1ad; spoofchk and trust on|off;
 * link_state auto|enable|disable. Egress is seen from the VM (tx = the VM
 * sends).
 */
#pragma once

#include "common/base/error.h"
#include "common/model/address.h"

#include <stdbool.h>
#include <stdint.h>

/* X(NAME, wire name) in the order in which an agent writes them. */
#define POLICY_FIELDS(X)                                                       \
    X(MAC, "mac")                                                              \
    X(VLAN, "vlan")                                                            \
    X(VLAN_QOS, "vlan_qos")                                                    \
    X(VLAN_PROTO, "vlan_proto")                                                \
    X(MIN_TX_RATE_MBPS, "min_tx_rate_mbps")                                    \
    X(MAX_TX_RATE_MBPS, "max_tx_rate_mbps")                                    \
    X(SPOOFCHK, "spoofchk")                                                    \
    X(TRUST, "trust")                                                          \
    X(LINK_STATE, "link_state")

enum policy_field {
#define X(name, wire) POLICY_##name,
    POLICY_FIELDS(X)
#undef X
        POLICY_FIELD_MAX
};
#define POLICY_BIT(field) (1u << (field))
#define POLICY_ALL (POLICY_BIT(POLICY_FIELD_MAX) - 1)

enum vlan_proto { VLAN_PROTO_8021Q, VLAN_PROTO_8021AD, VLAN_PROTO_MAX };
enum link_state {
    LINK_STATE_AUTO,
    LINK_STATE_ENABLE,
    LINK_STATE_DISABLE,
    LINK_STATE_MAX
};

#define POLICY_VLAN_MAX 4094
#define POLICY_QOS_MAX 7
#define POLICY_RATE_MAX_MBPS 4294967u /* 2^32 bytes/s fits the kernel's u32 */

struct policy {
    uint32_t set; /* POLICY_BIT of the fields that have a value */
    uint32_t min_tx_rate_mbps, max_tx_rate_mbps;
    uint16_t vlan;
    uint8_t vlan_qos;
    uint8_t vlan_proto; /* enum vlan_proto */
    uint8_t link_state; /* enum link_state */
    bool spoofchk, trust;
    struct mac mac;
};

/* Wire names; parse returns POLICY_FIELD_MAX / ..._MAX for an unknown one. */
const char *policy_field_name(enum policy_field field);
enum policy_field policy_field_parse(const char *name);
const char *vlan_proto_name(enum vlan_proto proto); /* "802.1q" */
enum vlan_proto vlan_proto_parse(const char *name);
const char *link_state_name(enum link_state state);
enum link_state link_state_parse(const char *name);

static inline bool policy_has(const struct policy *policy,
                              enum policy_field field)
{
    return (policy->set & POLICY_BIT(field)) != 0;
}

/* Range and consistency of what is set: VLAN 0-4094, QoS 0-7 and only with a
 * vlan > 0, proto only with a vlan > 0, min <= max where max > 0, MAC usable.
 * Errors: INVALID with the field name and a remedy. */
int policy_check(const struct policy *policy, struct error *err);

/* The value of one field as text for messages ("100", "on", "802.1ad"). */
#define POLICY_VALUE_SIZE 24
const char *policy_value_text(const struct policy *policy,
                              enum policy_field field,
                              char text[POLICY_VALUE_SIZE]);
/* Copy one field's value and set bit. */
void policy_copy_field(struct policy *to, const struct policy *from,
                       enum policy_field field);
/* Same value in one field (set bits ignored). */
bool policy_field_equal(const struct policy *a, const struct policy *b,
                        enum policy_field field);
/* Bits of the fields set in 'want' that 'got' lacks or has otherwise. */
uint32_t policy_difference(const struct policy *want, const struct policy *got);

/* What a released VF must read: MAC zero, vlan, qos, rates 0, 802.1q, spoofchk
 * on, trust off, link auto (DESIGN.md section 5; drivers' reset defaults). */
struct policy policy_clean(void);
/* What the kernel is to read for a port: the clean values overlaid with what
 * the port asks for. */
struct policy policy_target(const struct policy *asked);

/* What the virtio path can honour (DESIGN.md section 5, table "Parity"). */
bool virtio_path_allows(const struct policy *policy, enum policy_field *field,
                        const char **why);

/* SPDX-License-Identifier: Apache-2.0 */
/* What the themes of the contract of host backends share: the host that is held
 * against it and the VF that is written. */
#pragma once

#include "tests/contract/host/contract.h"

/* Held on the PF's own filter by some tests; let go after each. */
#define HELD "52:54:00:c0:27:ad"
#define ALSO_HELD "52:54:00:c0:27:ae"

/* Set before each test. */
struct contract {
    const struct contract_target *target;
    struct host_backend *host;
    uint16_t vf;          /* the one that is written */
    uint16_t other;       /* the one that must not change */
    struct policy before; /* of 'vf'; put back after each test */
};
extern struct contract contract;

/* These two fail the test if nothing can be read. */
struct inventory *contract_read_all(void);
void contract_read_vf(uint16_t index, struct policy *policy);
/* To 'vf'; the backend's result. */
int contract_write_vf(const struct policy *policy, uint32_t fields,
                      struct error *err);
/* Whether the PF is known to refuse the field. */
bool contract_refuses(enum policy_field field);
/* Values that no driver has by default. */
struct policy contract_unusual(void);

/* The themes. */
void contract_add_inventory(TCase *c);
void contract_add_policy(TCase *c);
void contract_add_hold(TCase *c);
void contract_add_pf_set(TCase *c);

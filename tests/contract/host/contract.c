/* SPDX-License-Identifier: Apache-2.0 */
/* The contract of host backends: see contract.h. What comes before and after each
 * test; the tests are by theme in the files beside. */
#include "tests/contract/host/suite.h"

#include <fcntl.h>
#include <unistd.h>

struct contract contract;

struct inventory *contract_read_all(void)
{
    struct error err = {0};
    struct inventory *all = contract.host->ops->inventory(contract.host, &err);
    ck_assert_msg(all != NULL, "inventory: %s", err.msg);
    return all;
}

void contract_read_vf(uint16_t index, struct policy *policy)
{
    struct error err = {0};
    int result = contract.host->ops->vf_read(
        contract.host, &contract.target->pf, index, policy, &err);
    ck_assert_msg(result == 0, "read VF %u: %s", index, err.msg);
}

int contract_write_vf(const struct policy *policy, uint32_t fields,
                      struct error *err)
{
    return contract.host->ops->vf_write(contract.host, &contract.target->pf,
                                        contract.vf, policy, fields, err);
}

bool contract_refuses(enum policy_field field)
{
    return (contract.target->refuses & POLICY_BIT(field)) != 0;
}

static void begin(void)
{
    contract.host = contract.target->open();
    ck_assert_ptr_nonnull(contract.host);
    auto_inventory struct inventory *all = contract_read_all();
    const struct pf *pf = inventory_pf(all, &contract.target->pf);
    ck_assert_msg(pf != NULL, "there is no PF %s", contract.target->pf.text);
    int chosen = -1;
    for (size_t i = 0; i < pf->vf_count; i++)
        if (pf->vfs[i].state == VF_FREE)
            chosen = pf->vfs[i].index;
    ck_assert_msg(chosen > 0, "PF %s has no free VF besides VF 0",
                  contract.target->pf.text);
    contract.vf = (uint16_t)chosen;
    contract.other = 0;
    contract_read_vf(contract.vf, &contract.before);
}

/* Fields are put back one by one: one that can't be set was not changed. */
static void end(void)
{
    struct mac held;
    mac_parse(HELD, &held);
    contract.host->ops->mac_hold(contract.host, &contract.target->pf, &held,
                                 false, NULL);
    mac_parse(ALSO_HELD, &held);
    contract.host->ops->mac_hold(contract.host, &contract.target->pf, &held,
                                 false, NULL);
    for (int f = 0; f < POLICY_FIELD_MAX; f++)
        if (policy_has(&contract.before, (enum policy_field)f))
            contract_write_vf(&contract.before, POLICY_BIT(f), NULL);
    contract.target->close(contract.host);
}

/* A value that no driver has by default. */
struct policy contract_unusual(void)
{
    struct policy policy = {.set = POLICY_ALL,
                            .min_tx_rate_mbps = 20,
                            .max_tx_rate_mbps = 100,
                            .vlan = 123,
                            .vlan_qos = 3,
                            .vlan_proto = VLAN_PROTO_8021AD,
                            .link_state = LINK_STATE_DISABLE};
    policy.spoofchk = !contract.before.spoofchk;
    policy.trust = !contract.before.trust;
    mac_parse("52:54:00:c0:27:ac", &policy.mac);
    return policy;
}

START_TEST(opening_and_closing_leaves_no_descriptor)
{
    int first = open("/dev/null", O_RDONLY | O_CLOEXEC);
    ck_assert_int_ge(first, 0);
    close(first);
    for (int i = 0; i < 3; i++) {
        contract.target->close(contract.host);
        contract.host = contract.target->open();
        ck_assert_ptr_nonnull(contract.host);
        auto_inventory struct inventory *all = contract_read_all();
        ck_assert_ptr_nonnull(all);
    }
    int last = open("/dev/null", O_RDONLY | O_CLOEXEC);
    close(last);
    ck_assert_int_eq(last, first);
}
END_TEST

Suite *contract_suite(const struct contract_target *t)
{
    contract.target = t;
    Suite *s = suite_create(t->name);
    TCase *c = tcase_create("contract");
    tcase_set_timeout(c, 60);
    tcase_add_checked_fixture(c, begin, end);
    contract_add_inventory(c);
    contract_add_policy(c);
    contract_add_hold(c);
    contract_add_pf_set(c);
    tcase_add_test(c, opening_and_closing_leaves_no_descriptor);
    suite_add_tcase(s, c);
    return s;
}

int contract_run(const struct contract_target *t)
{
    SRunner *runner = srunner_create(contract_suite(t));
    srunner_run_all(runner, CK_NORMAL);
    int failures = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failures;
}

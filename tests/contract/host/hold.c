/* SPDX-License-Identifier: Apache-2.0 */
/* The contract of host backends: MACs held on the PF's own filter. */
#include "tests/contract/host/suite.h"

static bool is_held(const char *text)
{
    struct mac mac;
    struct error err = {0};
    bool held = false;
    ck_assert(mac_parse(text, &mac));
    int result = contract.host->ops->mac_held(
        contract.host, &contract.target->pf, &mac, &held, &err);
    ck_assert_msg(result == 0, "%s", err.msg);
    return held;
}

static int hold(const char *text, bool on, struct error *err)
{
    struct mac mac;
    ck_assert(mac_parse(text, &mac));
    return contract.host->ops->mac_hold(contract.host, &contract.target->pf,
                                        &mac, on, err);
}

START_TEST(a_mac_is_held_on_the_pf_until_it_is_let_go)
{
    struct error err = {0};
    ck_assert(!is_held(HELD));
    ck_assert_int_eq(hold(HELD, false, &err), 0); /* it is not there: fine */
    ck_assert_msg(hold(HELD, true, &err) == 0, "%s", err.msg);
    ck_assert(is_held(HELD));
    ck_assert(!is_held(ALSO_HELD));
    ck_assert_msg(hold(HELD, true, &err) == 0, "%s", err.msg); /* already */
    ck_assert_msg(hold(ALSO_HELD, true, &err) == 0, "%s", err.msg);
    /* Whoever opens the host anew finds it so. */
    contract.target->close(contract.host);
    contract.host = contract.target->open();
    ck_assert(is_held(HELD));
    ck_assert_msg(hold(HELD, false, &err) == 0, "%s", err.msg);
    ck_assert(!is_held(HELD));
    ck_assert(is_held(ALSO_HELD));
    ck_assert_msg(hold(ALSO_HELD, false, &err) == 0, "%s", err.msg);
    ck_assert(!is_held(ALSO_HELD));
}
END_TEST

START_TEST(a_held_mac_may_sit_on_a_vf_too)
{
    struct policy want = contract_unusual(), now;
    struct error err = {0};
    mac_parse(HELD, &want.mac);
    ck_assert_int_eq(contract_write_vf(&want, POLICY_BIT(POLICY_MAC), NULL), 0);
    ck_assert_msg(hold(HELD, true, &err) == 0, "%s", err.msg);
    contract_read_vf(contract.vf, &now);
    ck_assert(policy_field_equal(&want, &now, POLICY_MAC));
    ck_assert_msg(hold(HELD, false, &err) == 0, "%s", err.msg);
    contract_read_vf(contract.vf, &now);
    ck_assert(policy_field_equal(&want, &now, POLICY_MAC));
}
END_TEST

START_TEST(nothing_is_held_on_a_pf_that_is_not_there)
{
    struct mac mac;
    struct pf_key nowhere;
    struct error err = {0};
    bool held = false;
    mac_parse(HELD, &mac);
    ck_assert(pf_key_parse("0000:ff:1f.7", &nowhere));
    ck_assert_int_eq(
        contract.host->ops->mac_hold(contract.host, &nowhere, &mac, true, &err),
        -1);
    ck_assert_int_eq(err.code, ERROR_VANISHED);
    ck_assert_int_eq(contract.host->ops->mac_held(contract.host, &nowhere, &mac,
                                                  &held, &err),
                     -1);
    ck_assert_int_eq(err.code, ERROR_VANISHED);
}
END_TEST

void contract_add_hold(TCase *c)
{
    tcase_add_test(c, a_mac_is_held_on_the_pf_until_it_is_let_go);
    tcase_add_test(c, a_held_mac_may_sit_on_a_vf_too);
    tcase_add_test(c, nothing_is_held_on_a_pf_that_is_not_there);
}

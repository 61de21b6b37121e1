/* SPDX-License-Identifier: Apache-2.0 */
/* The contract of host backends: what is read. */
#include "tests/contract/host/suite.h"

START_TEST(the_inventory_is_whole_and_in_order)
{
    auto_inventory struct inventory *all = contract_read_all();
    ck_assert(!uuid_is_zero(&all->machine_id));
    ck_assert_str_ne(all->kernel, "");
    ck_assert_uint_gt(all->vcpus, 0);
    ck_assert_uint_gt(all->memory_mib, 0);
    for (size_t i = 0; i < all->pf_count; i++) {
        const struct pf *pf = all->pfs[i];
        ck_assert(i == 0 ||
                  pf_key_compare(&all->pfs[i - 1]->key, &pf->key) < 0);
        ck_assert_uint_le(pf->num_vfs, pf->total_vfs);
        ck_assert_uint_le(pf->vf_count, pf->num_vfs);
        ck_assert(pf->vendor_name && pf->device_name && pf->driver &&
                  pf->firmware);
        ck_assert(pf->management == (pf->management_reason[0] != '\0'));
        for (size_t v = 0; v < pf->vf_count; v++) {
            const struct vf *one = &pf->vfs[v];
            ck_assert(v == 0 || pf->vfs[v - 1].index < one->index);
            ck_assert(one->driver && one->reason);
            ck_assert(one->state == VF_FREE || one->state == VF_EXTERNAL);
            ck_assert((one->state == VF_EXTERNAL) == (one->reason[0] != '\0'));
            ck_assert(uuid_is_zero(&one->port));
            ck_assert_int_eq(one->has_address, pf->has_address);
        }
    }
}
END_TEST

START_TEST(one_pf_read_alone_is_the_same_as_in_the_inventory)
{
    auto_inventory struct inventory *all = contract_read_all();
    const struct pf *whole = inventory_pf(all, &contract.target->pf);
    struct error err = {0};
    auto_pf struct pf *known = contract.host->ops->read_pf(
        contract.host, &contract.target->pf, whole, &err);
    ck_assert_msg(known != NULL, "%s", err.msg);
    ck_assert(pf_same(whole, known));
    auto_pf struct pf *fresh = contract.host->ops->read_pf(
        contract.host, &contract.target->pf, NULL, &err);
    ck_assert_msg(fresh != NULL, "%s", err.msg);
    ck_assert(pf_same(whole, fresh));
    ck_assert_int_ge(fresh->observed_at, whole->observed_at);
}
END_TEST

START_TEST(the_inventorys_policy_is_what_the_vf_reads)
{
    auto_inventory struct inventory *all = contract_read_all();
    const struct pf *pf = inventory_pf(all, &contract.target->pf);
    for (size_t i = 0; i < pf->vf_count; i++) {
        struct policy policy;
        contract_read_vf(pf->vfs[i].index, &policy);
        ck_assert_uint_eq(policy.set, pf->vfs[i].policy.set);
        ck_assert_uint_eq(policy_difference(&policy, &pf->vfs[i].policy), 0);
        ck_assert_int_gt(pf->vfs[i].observed_at, 0);
    }
}
END_TEST

START_TEST(a_pf_that_is_not_there_has_vanished)
{
    struct pf_key none;
    struct error err = {0};
    struct policy policy = policy_clean();
    ck_assert(pf_key_parse("0fff:fe:1e.7", &none));
    ck_assert_ptr_null(
        contract.host->ops->read_pf(contract.host, &none, NULL, &err));
    ck_assert_int_eq(err.code, ERROR_VANISHED);
    err = (struct error){0};
    ck_assert_int_eq(
        contract.host->ops->vf_read(contract.host, &none, 0, &policy, &err),
        -1);
    ck_assert_int_eq(err.code, ERROR_VANISHED);
    err = (struct error){0};
    ck_assert_int_eq(
        contract.host->ops->vf_write(contract.host, &none, 0, &policy,
                                     POLICY_BIT(POLICY_VLAN), &err),
        -1);
    ck_assert_int_eq(err.code, ERROR_VANISHED);
}
END_TEST

START_TEST(a_vf_that_is_not_there_has_vanished)
{
    struct error err = {0};
    struct policy policy = policy_clean();
    auto_inventory struct inventory *all = contract_read_all();
    uint16_t beyond = inventory_pf(all, &contract.target->pf)->num_vfs;
    ck_assert_int_eq(contract.host->ops->vf_read(contract.host,
                                                 &contract.target->pf, beyond,
                                                 &policy, &err),
                     -1);
    ck_assert_int_eq(err.code, ERROR_VANISHED);
    err = (struct error){0};
    ck_assert_int_eq(contract.host->ops->vf_write(
                         contract.host, &contract.target->pf, beyond, &policy,
                         POLICY_BIT(POLICY_VLAN), &err),
                     -1);
    ck_assert_int_eq(err.code, ERROR_VANISHED);
}
END_TEST

void contract_add_inventory(TCase *c)
{
    tcase_add_test(c, the_inventory_is_whole_and_in_order);
    tcase_add_test(c, one_pf_read_alone_is_the_same_as_in_the_inventory);
    tcase_add_test(c, the_inventorys_policy_is_what_the_vf_reads);
    tcase_add_test(c, a_pf_that_is_not_there_has_vanished);
    tcase_add_test(c, a_vf_that_is_not_there_has_vanished);
}

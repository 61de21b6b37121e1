/* SPDX-License-Identifier: Apache-2.0 */
/* What happens to a simulated host's devices, how it is told, and the mix of a
 * fleet. */
#include "agent/host/sim/sim.h"

#include "common/base/file.h"

#include <check.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct sim_host *world;
static struct host_backend *host;
static struct error err;
static int fault_number, fault_calls;

static int fault(void *context, enum sim_step step, const struct pf_key *pf,
                 uint16_t vf, uint32_t fields)
{
    (void)pf;
    (void)vf;
    (void)fields;
    if (step != *(enum sim_step *)context)
        return 0;
    fault_calls++;
    return fault_number;
}

static enum sim_step fault_step;

static void setup(void)
{
    struct sim_host_config config = {
        .seed = 1,
        .networks = 2,
        .pf_count = 4,
        .pfs = {"intel-82576", "intel-82576", "intel-x710", "intel-x710"},
    };
    world = sim_host_new(&config, &err);
    ck_assert_ptr_nonnull(world);
    fault_step = SIM_STEP_MAX;
    fault_calls = 0;
    struct host_sim_config backend = {
        .host = world,
        .hooks = {.context = &fault_step, .fault = fault},
        .with_event_fd = true,
        .probed = true,
    };
    host = host_sim_open(&backend, &err);
    ck_assert_ptr_nonnull(host);
}

static void teardown(void)
{
    host->ops->close(host);
    sim_host_free(world);
}

static bool readable(void)
{
    struct pollfd fd = {.fd = host->ops->event_fd(host), .events = POLLIN};
    return poll(&fd, 1, 0) == 1;
}

START_TEST(inventory_names_what_the_models_say)
{
    auto_inventory struct inventory *inventory =
        host->ops->inventory(host, &err);
    ck_assert_ptr_nonnull(inventory);
    ck_assert_uint_eq(inventory->vcpus, 1024);
    ck_assert_uint_eq(inventory->memory_mib, 4u * 1024 * 1024);
    ck_assert_uint_eq(inventory->network_count, 2);
    ck_assert_str_eq(inventory->networks[1].device, "br-phys1");
    ck_assert_uint_eq(inventory->pf_count, 4);
    const struct pf *igb = inventory->pfs[0];
    ck_assert_str_eq(igb->key.text, "0000:3b:00.0");
    ck_assert_str_eq(igb->driver, "igb");
    ck_assert_uint_eq(igb->device_id, 0x10c9);
    ck_assert_uint_eq(igb->total_vfs, 7);
    ck_assert_uint_eq(igb->vf_count, 7);
    char text[PCI_TEXT_SIZE];
    ck_assert_str_eq(pci_format(&igb->vfs[0].address, text), "0000:3b:10.0");
    ck_assert_str_eq(pci_format(&igb->vfs[6].address, text), "0000:3b:11.4");
    const struct pf *second = inventory->pfs[3];
    ck_assert_str_eq(pci_format(&second->vfs[0].address, text), "0000:3f:06.0");
    ck_assert_int_eq(igb->capabilities.field[POLICY_LINK_STATE].support,
                     CAPABILITY_UNSUPPORTED);
    ck_assert_int_eq(igb->capabilities.field[POLICY_VLAN].support,
                     CAPABILITY_SUPPORTED);
}
END_TEST

START_TEST(a_pf_that_goes_and_comes_is_told_and_fresh)
{
    struct policy p = {.vlan = 9};
    struct host_changes changes;
    const struct pf_key *key = sim_host_pf_key(world, 2);
    ck_assert_int_eq(
        host->ops->vf_write(host, key, 0, &p, POLICY_BIT(POLICY_VLAN), &err),
        0);
    ck_assert(readable());
    ck_assert_int_eq(host->ops->changes(host, &changes, &err), 0);
    ck_assert(!readable());
    sim_host_pf_set_present(world, 2, false);
    ck_assert(readable());
    ck_assert_int_eq(host->ops->changes(host, &changes, &err), 0);
    ck_assert(!changes.everything);
    ck_assert_uint_eq(changes.pf_count, 1);
    ck_assert_str_eq(changes.pfs[0].text, key->text);
    ck_assert_ptr_null(host->ops->read_pf(host, key, NULL, &err));
    ck_assert_int_eq(err.code, ERROR_VANISHED);
    ck_assert_int_eq(
        host->ops->vf_write(host, key, 0, &p, POLICY_BIT(POLICY_VLAN), &err),
        -1);
    ck_assert_int_eq(err.code, ERROR_VANISHED);
    sim_host_pf_set_present(world, 2, true);
    auto_pf struct pf *pf = host->ops->read_pf(host, key, NULL, &err);
    ck_assert_ptr_nonnull(pf);
    ck_assert_uint_eq(pf->vfs[0].policy.vlan, 0);
}
END_TEST

START_TEST(a_vf_removed_from_the_bus_is_not_listed_but_keeps_its_policy)
{
    struct policy p = {.vlan = 9};
    const struct pf_key *key = sim_host_pf_key(world, 0);
    ck_assert_int_eq(
        host->ops->vf_write(host, key, 3, &p, POLICY_BIT(POLICY_VLAN), &err),
        0);
    sim_host_vf_set_present(world, 0, 3, false);
    auto_pf struct pf *without = host->ops->read_pf(host, key, NULL, &err);
    ck_assert_uint_eq(without->vf_count, 6);
    ck_assert_ptr_null(pf_vf(without, 3));
    ck_assert_int_eq(host->ops->vf_read(host, key, 3, &p, &err), -1);
    sim_host_vf_set_present(world, 0, 3, true);
    auto_pf struct pf *with = host->ops->read_pf(host, key, NULL, &err);
    ck_assert_uint_eq(pf_vf(with, 3)->policy.vlan, 9);
}
END_TEST

START_TEST(a_vf_used_by_others_is_external)
{
    sim_host_vf_set_external(world, 0, 2, "used by domain other");
    auto_pf struct pf *pf =
        host->ops->read_pf(host, sim_host_pf_key(world, 0), NULL, &err);
    ck_assert_int_eq(pf->vfs[2].state, VF_EXTERNAL);
    ck_assert_str_eq(pf->vfs[2].reason, "used by domain other");
    ck_assert_int_eq(pf->vfs[1].state, VF_FREE);
    ck_assert(!sim_host_vf_clean(world, 0, 2));
}
END_TEST

START_TEST(busy_is_tried_again_and_then_told)
{
    struct policy p = {.vlan = 9};
    fault_step = SIM_STEP_VF_WRITE;
    fault_number = EBUSY;
    ck_assert_int_eq(host->ops->vf_write(host, sim_host_pf_key(world, 0), 0, &p,
                                         POLICY_BIT(POLICY_VLAN), &err),
                     -1);
    ck_assert_int_eq(err.code, ERROR_AGAIN);
    ck_assert_int_eq(fault_calls, SIM_TRIES);
    ck_assert_str_eq(err.field, "vlan");
}
END_TEST

START_TEST(vf_policies_that_cannot_be_read_are_named_and_not_guessed)
{
    fault_step = SIM_STEP_READ_PF;
    fault_number = EIO;
    auto_inventory struct inventory *inventory =
        host->ops->inventory(host, &err);
    ck_assert_uint_eq(inventory->pf_count, 4);
    ck_assert_uint_eq(inventory->unreadable_count, 4);
    ck_assert_str_eq(inventory->unreadable[0].what,
                     "VF policy of 0000:3b:00.0");
    ck_assert_uint_eq(inventory->pfs[0]->vfs[0].policy.set, 0);
    ck_assert_int_eq(inventory->pfs[0]->vfs[0].observed_at, 0);
}
END_TEST

START_TEST(lost_events_and_a_reboot_say_everything)
{
    struct host_changes changes;
    sim_host_lose_events(world);
    ck_assert_int_eq(host->ops->changes(host, &changes, &err), 0);
    ck_assert(changes.everything);
    struct uuid boot = sim_host_boot_id(world);
    sim_host_reboot(world);
    struct uuid again = sim_host_boot_id(world);
    ck_assert(!uuid_equal(&boot, &again));
    ck_assert_int_eq(host->ops->changes(host, &changes, &err), 0);
    ck_assert(changes.everything);
    ck_assert_int_eq(host->ops->changes(host, &changes, &err), 0);
    ck_assert(!changes.everything);
    ck_assert_uint_eq(changes.pf_count, 0);
}
END_TEST

START_TEST(the_default_fleet_has_every_model_in_each_round)
{
    struct sim_profile profile;
    int seen[SIM_PROFILE_MAX] = {0};
    sim_profile_default(&profile);
    ck_assert_uint_eq(profile.count, 11);
    for (size_t i = 0; i < 22; i++) {
        struct sim_host_config config = {0};
        sim_profile_host(&profile, 42, i, &config);
        for (size_t m = 0; m < profile.count; m++) {
            const char *want = profile.items[m].model;
            const char *got = config.pf_count ? config.pfs[0] : "none";
            seen[m] += strcmp(want, got) == 0;
        }
    }
    for (size_t m = 0; m < profile.count; m++)
        ck_assert_int_eq(seen[m], 2);
}
END_TEST

START_TEST(a_profile_file_is_read_and_its_errors_have_a_place)
{
    char path[] = "/tmp/profile-XXXXXX";
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    const char *good =
        "[{\"model\": \"intel-e810\", \"weight\": 3, \"pfs\": 4},"
        "{\"model\": \"none\"}]";
    ck_assert_int_eq(file_replace(path, good, strlen(good), 0600, &err), 0);
    struct sim_profile profile;
    ck_assert_int_eq(sim_profile_read(path, &profile, &err), 0);
    ck_assert_uint_eq(profile.count, 2);
    ck_assert_uint_eq(profile.items[0].weight, 3);
    ck_assert_uint_eq(profile.items[0].pfs, 4);
    ck_assert_uint_eq(profile.items[1].pfs, 0);
    const char *bad = "[{\"model\": \"intel-e811\"}]";
    ck_assert_int_eq(file_replace(path, bad, strlen(bad), 0600, &err), 0);
    ck_assert_int_eq(sim_profile_read(path, &profile, &err), -1);
    ck_assert_str_eq(err.field, "[0].model");
    close(fd);
    unlink(path);
}
END_TEST

START_TEST(an_nvme_pf_beside_a_nic_has_vfs_and_no_network)
{
    char path[] = "/tmp/profile-XXXXXX";
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    static const char text[] = "[{\"model\": \"intel-e810\", \"pfs\": 1, "
                               "\"with\": \"qemu-nvme\"}]";
    ck_assert_int_eq(write(fd, text, sizeof text - 1), sizeof text - 1);
    close(fd);
    struct sim_profile profile;
    int result = sim_profile_read(path, &profile, &err);
    unlink(path);
    ck_assert_msg(result == 0, "%s", err.msg);
    struct sim_host_config config = {.vfs_limit = 4};
    sim_profile_host(&profile, 1, 0, &config);
    ck_assert_uint_eq(config.pf_count, 2);
    struct sim_host *nvme = sim_host_new(&config, &err);
    struct host_sim_config open = {.host = nvme};
    struct host_backend *backend = host_sim_open(&open, &err);
    struct inventory *all = backend->ops->inventory(backend, &err);
    ck_assert_uint_eq(all->pf_count, 2);
    ck_assert_int_eq(all->pfs[0]->kind, DEVICE_NETWORK);
    ck_assert_uint_eq(all->pfs[0]->pci_class, 0x020000);
    const struct pf *pf = all->pfs[1];
    ck_assert_int_eq(pf->kind, DEVICE_STORAGE);
    ck_assert_uint_eq(pf->pci_class, 0x010802);
    ck_assert_uint_eq(pf->vendor_id, 0x1b36);
    ck_assert_uint_eq(pf->vf_device_id, 0x0010);
    ck_assert_str_eq(pf->netdev, "");
    ck_assert(mac_is_zero(&pf->mac));
    ck_assert_uint_eq(pf->vf_count, 4);
    ck_assert_str_eq(pf->vfs[0].netdev, "");
    ck_assert_str_eq(pf->vfs[0].driver, "nvme");
    ck_assert_int_eq(pf->vfs[0].state, VF_FREE);
    ck_assert_uint_eq(pf->vfs[0].policy.set, 0);
    ck_assert_int_ne(pf->vfs[0].observed_at, 0);
    for (int f = 0; f < POLICY_FIELD_MAX; f++)
        ck_assert_str_eq(pf->capabilities.field[f].note,
                         "not a network device");
    ref_put(all);
    backend->ops->close(backend);
    sim_host_free(nvme);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sim world");
    TCase *tc = tcase_create("world");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, inventory_names_what_the_models_say);
    tcase_add_test(tc, a_pf_that_goes_and_comes_is_told_and_fresh);
    tcase_add_test(
        tc, a_vf_removed_from_the_bus_is_not_listed_but_keeps_its_policy);
    tcase_add_test(tc, a_vf_used_by_others_is_external);
    tcase_add_test(tc, busy_is_tried_again_and_then_told);
    tcase_add_test(tc,
                   vf_policies_that_cannot_be_read_are_named_and_not_guessed);
    tcase_add_test(tc, lost_events_and_a_reboot_say_everything);
    tcase_add_test(tc, the_default_fleet_has_every_model_in_each_round);
    tcase_add_test(tc, a_profile_file_is_read_and_its_errors_have_a_place);
    tcase_add_test(tc, an_nvme_pf_beside_a_nic_has_vfs_and_no_network);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

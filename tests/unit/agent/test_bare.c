/* SPDX-License-Identifier: Apache-2.0 */
/* Claims without network policy by the engine on simulated hosts: a VF of an
 * NVMe, and a NIC's PF as a whole after its VFs were taken away. */
#include "tests/unit/agent/world.c"

#define SECONDS(n) ((n)*TIMESTAMP_SECOND)

static struct world world;

static void open_with(const char *model)
{
    const char *const models[] = {model, NULL};
    world_open(&world, models);
    world_start_agent(&world);
    world_settle(&world, SECONDS(60));
}

START_TEST(a_VF_of_an_NVMe_goes_through_the_life_of_a_claim)
{
    open_with("qemu-nvme");
    ck_assert_uint_gt(sim_host_vf_count(world.host, 0), 1);
    struct desired_port *port = world_want(&world, 1, 0, 1);
    port->device = true;
    port->policy = (struct policy){0};
    world_apply(&world);
    ck_assert_int_eq(world_told(&world, 1)->phase, PORT_APPLIED);
    ck_assert_uint_eq(world_told(&world, 1)->readback.set, 0);
    ck_assert_uint_eq(world.disk.state.managed_count, 1);
    ck_assert(world.disk.state.managed[0].device);
    /* Held over an agent's death, and by its guest. */
    world_crash_agent(&world);
    sim_host_vf_set_external(world.host, 0, 1, "bound to 'vfio-pci'");
    world_start_agent(&world);
    world_apply(&world);
    ck_assert_int_eq(world_told(&world, 1)->phase, PORT_APPLIED);
    world_unwant(&world, 1);
    world_apply(&world);
    ck_assert_int_eq(world_told(&world, 1)->phase, PORT_CLEANING);
    ck_assert_str_eq(world_told(&world, 1)->condition.reason, "VfInUse");
    sim_host_vf_set_external(world.host, 0, 1, NULL);
    world_settle(&world, SECONDS(30));
    ck_assert_uint_eq(world.disk.state.managed_count, 0);
    world_close(&world);
}
END_TEST

START_TEST(a_PF_is_given_as_a_whole_when_its_VFs_are_gone)
{
    open_with("intel-82576");
    world_want(&world, 1, 0, CLAIM_WHOLE_PF);
    world_apply(&world);
    ck_assert_int_eq(world_told(&world, 1)->phase, PORT_PENDING);
    ck_assert_str_eq(world_told(&world, 1)->condition.reason, "PfHasVfs");
    world_unwant(&world, 1);
    world_apply(&world);
    world_want_vfs(&world, 0, 0);
    world_apply(&world);
    ck_assert_int_eq(world_told_pf(&world, 0)->phase, PF_APPLIED);
    world_want(&world, 2, 0, CLAIM_WHOLE_PF);
    world_apply(&world);
    ck_assert_int_eq(world_told(&world, 2)->phase, PORT_APPLIED);
    /* No VFs are made under it. */
    world_want_vfs(&world, 0, 3);
    world_apply(&world);
    ck_assert_int_eq(world_told_pf(&world, 0)->phase, PF_PENDING);
    ck_assert_str_eq(world_told_pf(&world, 0)->condition.reason, "PfClaimed");
    ck_assert_uint_eq(sim_host_vf_count(world.host, 0), 0);
    world_unwant(&world, 2);
    world_apply(&world);
    world_settle(&world, SECONDS(60));
    ck_assert_uint_eq(world.disk.state.managed_count, 0);
    ck_assert_uint_eq(sim_host_vf_count(world.host, 0), 3);
    world_close(&world);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("agent: claims without policy");
    TCase *tcase = tcase_create("bare");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, a_VF_of_an_NVMe_goes_through_the_life_of_a_claim);
    tcase_add_test(tcase, a_PF_is_given_as_a_whole_when_its_VFs_are_gone);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}

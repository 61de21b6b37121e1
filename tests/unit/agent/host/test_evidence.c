/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a guest uses a VF, from copied trees: interrupts as VFIO names them,
 * in their folders (Linux 4.10 and newer) and in /proc/interrupts. */
#include "agent/host/evidence.h"
#include "tests/unit/agent/host/tree.h"

#define VF0 "0000:01:10.0"
#define VF_FOLDER "sys/bus/pci/devices/" VF0

static struct tree tree;
static struct host_backend *host;
static struct pf_key pf;

static void begin(void)
{
    struct error err = {0};
    tree_begin(&tree);
    tree_host(&tree);
    tree_igb(&tree, 2);
    ck_assert(pf_key_parse(TREE_IGB_PF, &pf));
    host = host_linux_open(tree.root, &err);
    ck_assert_msg(host != NULL, "%s", err.msg);
}

static void end(void)
{
    host->ops->close(host);
    tree_end(&tree);
}

static void bind_to(const char *driver)
{
    auto_free char *target = mem_printf("../../bus/pci/drivers/%s", driver);
    tree_remove(&tree, "sys/devices/pci0000:00/0000:00:01.0/" VF0 "/driver");
    tree_link(&tree, VF_FOLDER "/driver", target);
}

static void interrupt(int number, const char *action, const char *counts)
{
    auto_free char *own = mem_printf(VF_FOLDER "/msi_irqs/%d", number);
    auto_free char *actions = mem_printf("sys/kernel/irq/%d/actions", number);
    auto_free char *per_cpu =
        mem_printf("sys/kernel/irq/%d/per_cpu_count", number);
    tree_text(&tree, own, "msix");
    tree_text(&tree, actions, action);
    tree_text(&tree, per_cpu, counts);
}

static struct vf_evidence evidence(void)
{
    struct vf_evidence found = {0};
    struct error err = {0};
    int result = host->ops->vf_evidence(host, &pf, 0, &found, &err);
    ck_assert_msg(result == 0, "%s", err.msg);
    return found;
}

static void check(bool in_use, uint64_t count)
{
    struct vf_evidence found = evidence();
    ck_assert_int_eq(found.kind, EVIDENCE_VF_INTERRUPTS);
    ck_assert(found.readable);
    ck_assert_int_eq(found.in_use, in_use);
    ck_assert_uint_eq(found.count, count);
}

START_TEST(a_VF_without_interrupts_is_not_in_use)
{
    bind_to("vfio-pci");
    tree_folder(&tree, "sys/kernel/irq/1");
    check(false, 0);
}
END_TEST

START_TEST(interrupts_that_never_came_are_no_use_yet)
{
    bind_to("vfio-pci");
    interrupt(45, "vfio-msix[0](" VF0 ")", "0,0,0");
    interrupt(46, "vfio-msix[1](" VF0 ")", "0,0,0");
    check(false, 0);
}
END_TEST

START_TEST(interrupts_that_came_are_summed_over_CPUs_and_vectors)
{
    bind_to("vfio-pci");
    interrupt(45, "vfio-msix[0](" VF0 ")", "0,17,0");
    interrupt(46, "vfio-msix[1](" VF0 ")", "3,0,4294967295");
    check(true, UINT64_C(4294967315));
}
END_TEST

START_TEST(interrupts_of_others_do_not_count)
{
    bind_to("vfio-pci");
    interrupt(45, "eth1-rx-0", "5,5,5");
    interrupt(46, "vfio-msix[0](0000:01:10.2)", "5,5,5");
    interrupt(47, "vfio-msix[0](0000:01:10.01)", "5,5,5");
    interrupt(48, "", "5,5,5");
    check(false, 0);
}
END_TEST

START_TEST(an_old_kernel_tells_it_in_proc)
{
    bind_to("mlx5_vfio_pci");
    tree_text(&tree, "proc/interrupts",
              "           CPU0       CPU1       \n"
              "  1:          9          0  IO-APIC   1-edge      i8042\n"
              " 45:          2          3  IR-PCI-MSIX-0000:01:10.0    0-edge"
              "      vfio-msix[0](0000:01:10.0)\n"
              " 46:          0          7  IR-PCI-MSI 8388608-edge      "
              "vfio-msi[1](0000:01:10.0)\n"
              " 47:        100        100  IO-APIC  16-fasteoi   "
              "vfio-intx(0000:01:10.0)\n"
              " 48:         50          0  PCI-MSIX-0000:01:10.2   0-edge      "
              "vfio-msix[0](0000:01:10.2)\n"
              "NMI:          5          5   Non-maskable interrupts\n"
              "ERR:          0\n");
    check(true, 212);
}
END_TEST

START_TEST(nothing_to_read_is_an_error_and_no_answer)
{
    bind_to("vfio-pci");
    struct vf_evidence found = {.count = 77};
    struct error err = {0};
    ck_assert_int_eq(host->ops->vf_evidence(host, &pf, 0, &found, &err), -1);
    ck_assert_uint_eq(found.count, 77);
    ck_assert_ptr_nonnull(strstr(err.msg, "/proc/interrupts"));
}
END_TEST

START_TEST(a_VF_without_a_driver_is_nobodys)
{
    tree_remove(&tree, VF_FOLDER "/driver");
    tree_folder(&tree, "sys/kernel/irq/1");
    check(false, 0);
}
END_TEST

START_TEST(a_driver_of_the_host_tells_nothing_of_guests)
{
    interrupt(45, "eth1-rx-0", "5,5,5");
    struct vf_evidence found = evidence();
    ck_assert_int_eq(found.kind, EVIDENCE_NONE);
    ck_assert(!found.readable && !found.in_use);
}
END_TEST

START_TEST(a_VF_that_is_gone_has_vanished)
{
    struct vf_evidence found;
    struct error err = {0};
    ck_assert_int_eq(host->ops->vf_evidence(host, &pf, 2, &found, &err), -1);
    ck_assert_int_eq(err.code, ERROR_VANISHED);
    struct pf_key nowhere;
    ck_assert(pf_key_parse("0000:7f:00.0", &nowhere));
    err = (struct error){0};
    ck_assert_int_eq(host->ops->vf_evidence(host, &nowhere, 0, &found, &err),
                     -1);
    ck_assert_int_eq(err.code, ERROR_VANISHED);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("evidence of use");
    TCase *c = tcase_create("trees");
    tcase_add_checked_fixture(c, begin, end);
    tcase_add_test(c, a_VF_without_interrupts_is_not_in_use);
    tcase_add_test(c, interrupts_that_never_came_are_no_use_yet);
    tcase_add_test(c, interrupts_that_came_are_summed_over_CPUs_and_vectors);
    tcase_add_test(c, interrupts_of_others_do_not_count);
    tcase_add_test(c, an_old_kernel_tells_it_in_proc);
    tcase_add_test(c, nothing_to_read_is_an_error_and_no_answer);
    tcase_add_test(c, a_VF_without_a_driver_is_nobodys);
    tcase_add_test(c, a_driver_of_the_host_tells_nothing_of_guests);
    tcase_add_test(c, a_VF_that_is_gone_has_vanished);
    suite_add_tcase(s, c);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failures = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failures ? 1 : 0;
}

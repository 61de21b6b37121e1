/* SPDX-License-Identifier: Apache-2.0 */
/* The state file: what is written reads back, what is damaged is refused. */
#include "agent/state.h"
#include "common/base/file.h"
#include "common/base/mem.h"
#include "common/base/str.h"
#include <check.h>

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static char folder[64];

static void make_folder(void)
{
    str_copy(folder, "/tmp/sriov-state-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

static void remove_folder(void)
{
    static const char *const names[] = {"agent.json", "agent.json.new", "lock"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        auto_free char *path = mem_printf("%s/%s", folder, names[i]);
        unlink(path);
    }
    rmdir(folder);
}

static struct agent_state sample(void)
{
    struct agent_state state = {.incarnation = 7,
                                .accepted = {3, 41},
                                .managed_count = 2,
                                .probed_count = 1,
                                .change_count = 1,
                                .vm_count = 1,
                                .hold_count = 1};
    state.cluster_id.bytes[3] = 9;
    state.heard_boot.bytes[5] = 4;
    state.managed = mem_calloc(2, sizeof *state.managed);
    state.probed = mem_calloc(1, sizeof *state.probed);
    struct managed *m = &state.managed[0];
    m->port.bytes[0] = 1;
    m->vm.bytes[0] = 2;
    pf_key_parse("0000:3b:00.0", &m->claim.pf);
    m->claim.vf_index = 5;
    m->claim.has_address = pci_parse("0000:3b:02.5", &m->claim.address);
    m->claim.vendor_id = 0x8086;
    m->claim.device_id = 0x10ca;
    m->claim.numa_node = -1;
    m->claim.min_tx_rate_mbps = 100;
    m->policy.set = POLICY_BIT(POLICY_MAC) | POLICY_BIT(POLICY_VLAN) |
                    POLICY_BIT(POLICY_VLAN_QOS);
    mac_parse("52:54:00:00:00:01", &m->policy.mac);
    m->policy.vlan = 100;
    m->policy.vlan_qos = 3;
    m->baseline.set = POLICY_BIT(POLICY_MAC);
    m->revision = (struct revision){3, 40};
    m->phase = MANAGED_FAILED;
    m->unknown = true;
    m->device = true;
    str_copy(m->driver, "nvme");
    str_copy(m->condition.type, "PolicyApplied");
    str_copy(m->condition.reason, "FieldRefused");
    str_copy(m->condition.field, "vlan");
    str_copy(m->condition.message, "vlan was refused with EINVAL: \"no\"");
    m->condition.at = INT64_C(1790000000123000000);
    pf_key_parse("netdevsim3", &state.managed[1].claim.pf);
    state.managed[1].phase = MANAGED_PROBING;
    str_copy(state.managed[1].condition.type, "PolicyApplied");
    struct probed *probed = &state.probed[0];
    str_copy(probed->key, "igb|2.1|8086:10c9|-|6.12");
    probed->link_up = true;
    probed->at = INT64_C(1790000000000000000);
    for (unsigned i = 0; i < POLICY_FIELD_MAX; i++)
        probed->capabilities.field[i] =
            (struct capability){.support = CAPABILITY_UNSUPPORTED,
                                .source = CAPABILITY_SOURCE_PROBED,
                                .note = str_intern("EOPNOTSUPP when set")};
    state.changes = mem_calloc(1, sizeof *state.changes);
    struct pf_change *c = &state.changes[0];
    pf_key_parse("0000:3b:00.1", &c->key);
    c->target = (struct pf_target){.has_num_vfs = true,
                                   .num_vfs = 6,
                                   .autoprobe = AUTOPROBE_OFF,
                                   .bridge_mode = BRIDGE_VEPA};
    c->before = (struct pf_target){
        .has_num_vfs = true, .num_vfs = 2, .autoprobe = AUTOPROBE_ON};
    c->revision = (struct revision){3, 39};
    c->boot_id.bytes[5] = 4;
    c->begun_at = INT64_C(1790000000123000000);
    c->deadline = INT64_C(1790000030123000000);
    c->signature = UINT64_C(0xfedcba9876543210);
    c->phase = PF_REVERTING;
    c->refused = true;
    str_copy(c->condition.type, "PfConfigured");
    str_copy(c->condition.reason, "SettingRefused");
    state.vms = mem_calloc(1, sizeof *state.vms);
    struct vm_record *vm = &state.vms[0];
    vm->vm.bytes[0] = 2;
    vm->revision = (struct revision){3, 38};
    vm->boot_id.bytes[5] = 4;
    vm->run = VM_RUN_FAILED;
    str_copy(vm->condition.type, "Running");
    str_copy(vm->condition.reason, "StartFailed");
    state.holds = mem_calloc(1, sizeof *state.holds);
    struct hold *hold = &state.holds[0];
    hold->port.bytes[0] = 1;
    pf_key_parse("0000:3b:00.0", &hold->pf);
    mac_parse("52:54:00:00:00:01", &hold->mac);
    return state;
}

START_TEST(all_of_the_state_reads_back_as_it_was_written)
{
    struct agent_state state = sample(), back = {0};
    struct error err = {0};
    auto_free char *text = state_text(&state, false);
    ck_assert_msg(state_parse(text, strlen(text), &back, &err) == 0, "%s",
                  err.msg);
    auto_free char *again = state_text(&back, false);
    ck_assert_str_eq(text, again);
    ck_assert_uint_eq(back.managed[0].claim.vf_index, 5);
    ck_assert_uint_eq(back.managed[0].claim.vendor_id, 0x8086);
    ck_assert_uint_eq(back.managed[0].phase, MANAGED_FAILED);
    ck_assert(back.managed[0].unknown);
    ck_assert(back.managed[0].device);
    ck_assert_str_eq(back.managed[0].driver, "nvme");
    ck_assert_uint_eq(back.managed[0].policy.vlan_qos, 3);
    ck_assert_uint_eq(back.probed[0].capabilities.field[POLICY_TRUST].support,
                      CAPABILITY_UNSUPPORTED);
    ck_assert_uint_eq(back.accepted.revision, 41);
    ck_assert(uuid_equal(&back.cluster_id, &state.cluster_id));
    ck_assert(uuid_equal(&back.heard_boot, &state.heard_boot));
    ck_assert_uint_eq(back.change_count, 1);
    const struct pf_change *c = &back.changes[0];
    ck_assert_int_eq(c->phase, PF_REVERTING);
    ck_assert(pf_target_equal(&c->target, &state.changes[0].target));
    ck_assert(pf_target_equal(&c->before, &state.changes[0].before));
    ck_assert(c->refused && !c->may_pass);
    ck_assert_int_eq(c->deadline, state.changes[0].deadline);
    ck_assert(c->signature == state.changes[0].signature);
    ck_assert(uuid_equal(&c->boot_id, &state.changes[0].boot_id));
    ck_assert_uint_eq(back.vm_count, 1);
    const struct vm_record *vm = &back.vms[0];
    ck_assert(uuid_equal(&vm->vm, &state.vms[0].vm));
    ck_assert(uuid_equal(&vm->boot_id, &state.vms[0].boot_id));
    ck_assert_uint_eq(vm->run, VM_RUN_FAILED);
    ck_assert_uint_eq(vm->revision.revision, 38);
    ck_assert_str_eq(vm->condition.reason, "StartFailed");
    ck_assert_uint_eq(back.hold_count, 1);
    const struct hold *hold = &back.holds[0];
    ck_assert(uuid_equal(&hold->port, &state.holds[0].port));
    ck_assert_str_eq(hold->pf.text, "0000:3b:00.0");
    ck_assert(mac_compare(&hold->mac, &state.holds[0].mac) == 0);
    agent_state_done(&state);
    agent_state_done(&back);
}
END_TEST

START_TEST(a_claim_of_a_whole_PF_reads_back_as_one)
{
    struct agent_state state = sample(), back = {0};
    struct error err = {0};
    state.managed[0].claim.vf_index = CLAIM_WHOLE_PF;
    auto_free char *text = state_text(&state, false);
    ck_assert_msg(state_parse(text, strlen(text), &back, &err) == 0, "%s",
                  err.msg);
    ck_assert_uint_eq(back.managed[0].claim.vf_index, CLAIM_WHOLE_PF);
    agent_state_done(&state);
    agent_state_done(&back);
}
END_TEST

/* What an older agent did not write is not there. */
START_TEST(a_file_of_before_VMs_is_read)
{
    struct agent_state state = sample(), back = {0};
    struct error err = {0};
    auto_free char *text = state_text(&state, false);
    char *list = strstr(text, ",\"vms\":");
    ck_assert_ptr_nonnull(list);
    memcpy(list, "}", 2);
    ck_assert_msg(state_parse(text, strlen(text), &back, &err) == 0, "%s",
                  err.msg);
    ck_assert_uint_eq(back.vm_count, 0);
    ck_assert_uint_eq(back.hold_count, 0);
    ck_assert_uint_eq(back.change_count, 1);
    agent_state_done(&state);
    agent_state_done(&back);
}
END_TEST

START_TEST(a_record_of_a_VM_or_a_hold_that_makes_no_sense_is_refused)
{
    static const struct {
        const char *good, *bad;
    } changes[] = {
        {"\"run\":\"failed\"", "\"run\":\"flying\""},
        {"\"mac\":\"52:54:00:00:00:01\"}]", "\"mac\":\"52:54:00:00:00:zz\"}]"}};
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        struct agent_state state = sample(), back = {0};
        struct error err = {0};
        auto_free char *text = state_text(&state, false);
        char *at = strstr(text, changes[i].good);
        ck_assert_ptr_nonnull(at);
        memcpy(at, changes[i].bad, strlen(changes[i].bad));
        ck_assert_int_lt(state_parse(text, strlen(text), &back, &err), 0);
        ck_assert_int_eq(err.code, ERROR_CORRUPT);
        ck_assert_uint_eq(back.vm_count, 0);
        agent_state_done(&state);
    }
}
END_TEST

START_TEST(a_file_of_before_PF_changes_is_read)
{
    struct agent_state state = sample(), back = {0};
    struct error err = {0};
    auto_free char *text = state_text(&state, false);
    char *list = strstr(text, ",\"pf_changes\":");
    ck_assert_ptr_nonnull(list);
    memcpy(list, "}", 2);
    ck_assert_msg(state_parse(text, strlen(text), &back, &err) == 0, "%s",
                  err.msg);
    ck_assert_uint_eq(back.change_count, 0);
    ck_assert_uint_eq(back.managed_count, 2);
    agent_state_done(&state);
    agent_state_done(&back);
}
END_TEST

START_TEST(an_empty_folder_is_a_state_that_holds_nothing)
{
    make_folder();
    struct error err = {0};
    struct state_file *file = state_file_open(folder, &err);
    ck_assert_ptr_nonnull(file);
    struct agent_state state = {0};
    ck_assert_int_eq(state_file_ops.load(file, &state, &err), 0);
    ck_assert_uint_eq(state.managed_count, 0);
    ck_assert_uint_eq(state.incarnation, 0);
    state_file_close(file);
    remove_folder();
}
END_TEST

START_TEST(the_file_is_only_for_its_owner_and_is_loaded_again)
{
    make_folder();
    struct error err = {0};
    struct state_file *file = state_file_open(folder, &err);
    struct agent_state state = sample(), back = {0};
    ck_assert_int_eq(state_file_ops.save(file, &state, &err), 0);
    auto_free char *path = mem_printf("%s/agent.json", folder);
    struct stat facts;
    ck_assert_int_eq(stat(path, &facts), 0);
    ck_assert_uint_eq(facts.st_mode & 0777, 0600);
    ck_assert_int_eq(state_file_ops.load(file, &back, &err), 0);
    ck_assert_uint_eq(back.managed_count, 2);
    agent_state_done(&state);
    agent_state_done(&back);
    state_file_close(file);
    remove_folder();
}
END_TEST

START_TEST(a_second_agent_on_one_folder_is_refused_with_the_remedy)
{
    make_folder();
    struct error err = {0};
    struct state_file *file = state_file_open(folder, &err);
    ck_assert_ptr_nonnull(file);
    ck_assert_ptr_null(state_file_open(folder, &err));
    ck_assert_int_eq(err.code, ERROR_IN_USE);
    ck_assert_str_ne(err.remedy, "");
    state_file_close(file);
    file = state_file_open(folder, &err);
    ck_assert_ptr_nonnull(file);
    state_file_close(file);
    remove_folder();
}
END_TEST

/* Each replaces one thing in a good file. */
static const struct {
    const char *old, *new;
} damages[] = {
    {"\"version\":1", "\"version\":2"},
    {"\"version\":1", "\"version\":\"1\""},
    {"\"accepted\":\"3.41\"", "\"accepted\":\"3\""},
    {"\"phase\":\"failed\"", "\"phase\":\"fine\""},
    {"0000:3b:00.0", "../../etc"},
    {"\"vf_index\":5", "\"vf_index\":-5"},
    {"52:54:00:00:00:01", "52:54:00:00:00"},
    {"\"managed\":[", "\"managed\":[7,"},
    {"\"unknown\":true", "\"unknown\":3"},
    {"\"incarnation\":7", "\"incarnation\":-7"},
    {"\"0000:3b:02.5\"", "\"x\""},
    {"\"phase\":\"reverting\"", "\"phase\":\"pending\""},
    {"\"bridge_mode\":\"vepa\"", "\"bridge_mode\":\"veba\""},
    {"\"pf_signature\":\"fe", "\"pf_signature\":\"xe"},
    {"\"num_vfs\":6", "\"num_vfs\":-6"},
    {"}", ""},
};

START_TEST(damage_is_refused_and_never_read_as_something_else)
{
    struct agent_state state = sample();
    auto_free char *text = state_text(&state, false);
    agent_state_done(&state);
    const char *place = strstr(text, damages[_i].old);
    ck_assert_msg(place != NULL, "'%s' is not in %s", damages[_i].old, text);
    auto_free char *bad =
        mem_printf("%.*s%s%s", (int)(place - text), text, damages[_i].new,
                   place + strlen(damages[_i].old));
    struct agent_state back = {0};
    struct error err = {0};
    ck_assert_int_eq(state_parse(bad, strlen(bad), &back, &err), -1);
    ck_assert_int_eq(err.code, ERROR_CORRUPT);
    ck_assert_ptr_null(back.managed);
}
END_TEST

START_TEST(a_file_that_is_cut_anywhere_is_refused)
{
    struct agent_state state = sample();
    auto_free char *text = state_text(&state, false);
    agent_state_done(&state);
    for (size_t length = 0; length < strlen(text); length += 7) {
        struct agent_state back = {0};
        struct error err = {0};
        ck_assert_int_eq(state_parse(text, length, &back, &err), -1);
    }
}
END_TEST

START_TEST(a_damaged_file_stops_the_agent_and_says_what_to_do)
{
    make_folder();
    struct error err = {0};
    auto_free char *path = mem_printf("%s/agent.json", folder);
    ck_assert_int_eq(file_replace(path, "{\"version\": 1", 13, 0600, &err), 0);
    struct state_file *file = state_file_open(folder, &err);
    struct agent_config config = {
        .name = "h1", .state_ops = &state_file_ops, .state_context = file};
    ck_assert_ptr_null(agent_new(&config, &err));
    ck_assert_int_eq(err.code, ERROR_CORRUPT);
    ck_assert_ptr_nonnull(strstr(err.msg, path));
    ck_assert_str_ne(err.remedy, "");
    state_file_close(file);
    remove_folder();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("agent state");
    TCase *tc = tcase_create("state");
    tcase_add_test(tc, all_of_the_state_reads_back_as_it_was_written);
    tcase_add_test(tc, a_claim_of_a_whole_PF_reads_back_as_one);
    tcase_add_test(tc, a_file_of_before_PF_changes_is_read);
    tcase_add_test(tc, a_file_of_before_VMs_is_read);
    tcase_add_test(tc,
                   a_record_of_a_VM_or_a_hold_that_makes_no_sense_is_refused);
    tcase_add_test(tc, an_empty_folder_is_a_state_that_holds_nothing);
    tcase_add_test(tc, the_file_is_only_for_its_owner_and_is_loaded_again);
    tcase_add_test(tc, a_second_agent_on_one_folder_is_refused_with_the_remedy);
    tcase_add_loop_test(tc, damage_is_refused_and_never_read_as_something_else,
                        0, (int)(sizeof damages / sizeof *damages));
    tcase_add_test(tc, a_file_that_is_cut_anywhere_is_refused);
    tcase_add_test(tc, a_damaged_file_stops_the_agent_and_says_what_to_do);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

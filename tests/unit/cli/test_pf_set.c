/* SPDX-License-Identifier: Apache-2.0 */
/* sriov-admin pf set: what its options ask the scheduler for. */
#include "cli/pf.h"

#include <check.h>

#define WORDS_MAX 16

/* The body that "pf set h1 PF OPTION..." sends; NULL = refused. */
static json_t *request_of(const char *const *options)
{
    char *words[WORDS_MAX] = {
        (char *)(uintptr_t) "sriov-admin", (char *)(uintptr_t) "pf",
        (char *)(uintptr_t) "set", (char *)(uintptr_t) "h1",
        (char *)(uintptr_t) "0000:3b:00.0"};
    int count = 5;
    struct cli cli = {0};
    bool done = true;
    for (; options[count - 5]; count++)
        words[count] = (char *)(uintptr_t)options[count - 5];
    ck_assert_int_eq(cli_parse(&cli, count, words, &done), 0);
    return pf_request_of_options(&cli);
}

static void asks_for(const char *const *options, const char *expected)
{
    json_t *request = request_of(options);
    json_t *wanted = json_loads(expected, 0, NULL);
    ck_assert_ptr_nonnull(wanted);
    ck_assert_msg(json_equal(request, wanted), "%s",
                  request ? json_dumps(request, 0) : "refused");
    json_decref(request);
    json_decref(wanted);
}
#define ASKS_FOR(expected, ...)                                                \
    asks_for((const char *const[]){__VA_ARGS__, NULL}, expected)
#define REFUSED(...)                                                           \
    ck_assert_ptr_null(request_of((const char *const[]){__VA_ARGS__, NULL}))

START_TEST(each_option_becomes_its_member)
{
    ASKS_FOR("{\"allowed\":true,\"physical_network\":\"p0\","
             "\"link_speed_mbps\":10000}",
             "--allow", "--physical-network", "p0", "--link-speed-mbps",
             "10000");
    ASKS_FOR("{\"allowed\":false}", "--deny");
    ASKS_FOR("{\"num_vfs\":8,\"vf_drivers_autoprobe\":\"off\","
             "\"bridge_mode\":\"vepa\",\"tx_ratio_percent\":150}",
             "--num-vfs", "8", "--vf-drivers-autoprobe", "off", "--bridge-mode",
             "vepa", "--tx-ratio", "150");
}
END_TEST

START_TEST(what_is_given_back_is_null)
{
    ASKS_FOR("{\"num_vfs\":null,\"vf_drivers_autoprobe\":null,"
             "\"bridge_mode\":null}",
             "--num-vfs=observed", "--vf-drivers-autoprobe=keep",
             "--bridge-mode=keep");
    ASKS_FOR("{\"physical_network\":\"\"}", "--physical-network", "");
}
END_TEST

START_TEST(a_word_on_a_field_has_support_needs_and_max)
{
    ASKS_FOR("{\"capabilities\":{\"trust\":{\"support\":\"unsupported\"},"
             "\"vlan\":{\"support\":\"supported\",\"max\":100},"
             "\"max_tx_rate_mbps\":{\"support\":\"conditional\",\"needs\":"
             "[\"link_up\",\"link_speed\"],\"max\":1000},\"flr\":null}}",
             "--capability", "trust=unsupported", "--capability",
             "vlan=supported:100", "--capability",
             "max_tx_rate_mbps=conditional,link_up,link_speed:1000",
             "--capability", "flr=none");
}
END_TEST

START_TEST(what_is_no_request_is_refused)
{
    REFUSED("--num-vfs", "many");
    REFUSED("--num-vfs", "-1");
    REFUSED("--tx-ratio", "1.5");
    REFUSED("--link-speed-mbps", "10G");
    REFUSED("--capability", "trust");
    REFUSED("--capability", "vlan=supported:");
    REFUSED("--capability", "vlan=supported:x");
    REFUSED("--allow", "--deny");
    REFUSED("--wait");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cli/pf_set");
    TCase *tests = tcase_create("options");
    tcase_add_test(tests, each_option_becomes_its_member);
    tcase_add_test(tests, what_is_given_back_is_null);
    tcase_add_test(tests, a_word_on_a_field_has_support_needs_and_max);
    tcase_add_test(tests, what_is_no_request_is_refused);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The command line of sriov-admin: words, options, help, the VM request. */
#include "cli/cli.h"
#include "cli/vm_request.h"

#include "common/base/mem.h"

#include <check.h>
#include <string.h>

#define PARSE(cli, done, ...)                                                  \
    __extension__({                                                            \
        char *words_[] = {(char *)(uintptr_t) "sriov-admin", __VA_ARGS__};     \
        cli_parse(cli, (int)(sizeof words_ / sizeof *words_), words_, done);   \
    })
#define W(text) ((char *)(uintptr_t)(text))

START_TEST(a_noun_and_verb_find_their_command)
{
    struct cli cli = {0};
    bool done = true;
    ck_assert_int_eq(PARSE(&cli, &done, W("vm"), W("show"), W("web-1")), 0);
    ck_assert(!done);
    ck_assert_str_eq(cli.command->verb, "show");
    ck_assert_str_eq(cli.arguments[0], "web-1");
}
END_TEST

START_TEST(options_stand_anywhere_in_both_forms)
{
    struct cli cli = {0};
    bool done = true;
    ck_assert_int_eq(PARSE(&cli, &done, W("vf"), W("list"), W("-o"), W("json"),
                           W("--host=h1"), W("--state"), W("free")),
                     0);
    ck_assert_int_eq(cli.output, OUTPUT_JSON);
    ck_assert_str_eq(cli_option(&cli, "host"), "h1");
    ck_assert_str_eq(cli_option(&cli, "state"), "free");
    ck_assert_ptr_null(cli_option(&cli, "pf"));
}
END_TEST

START_TEST(what_is_unknown_or_missing_is_refused)
{
    struct cli cli = {0};
    bool done = false;
    ck_assert_int_eq(PARSE(&cli, &done, W("vm"), W("show")), 1);
    ck_assert(done);
    cli = (struct cli){0};
    ck_assert_int_eq(PARSE(&cli, &done, W("vm"), W("list"), W("extra")), 1);
    cli = (struct cli){0};
    ck_assert_int_eq(PARSE(&cli, &done, W("vm"), W("list"), W("--no")), 1);
    cli = (struct cli){0};
    ck_assert_int_eq(PARSE(&cli, &done, W("vm"), W("list"), W("-o")), 1);
    cli = (struct cli){0};
    ck_assert_int_eq(PARSE(&cli, &done, W("vm"), W("list"), W("-o"), W("xml")),
                     1);
    cli = (struct cli){0};
    ck_assert_int_eq(PARSE(&cli, &done, W("ghost"), W("list")), 1);
    cli = (struct cli){0};
    ck_assert_int_eq(PARSE(&cli, &done, W("vm"), W("dance")), 1);
    cli = (struct cli){0};
    ck_assert_int_eq(
        PARSE(&cli, &done, W("vm"), W("delete"), W("a"), W("--wait=yes")), 1);
}
END_TEST

START_TEST(every_command_has_help_with_an_example)
{
    const struct command *command = NULL;
    size_t count = 0;
    for (; (command = cli_command_at(count)); count++) {
        ck_assert(command->run != NULL);
        ck_assert_msg(strncmp(command->example, "sriov-admin ", 12) == 0,
                      "%s %s", command->noun, command->verb);
        ck_assert_msg(strstr(command->example, command->noun) &&
                          strstr(command->example, command->verb),
                      "the example of '%s %s' shows another command",
                      command->noun, command->verb);
        ck_assert(command->summary[0] != '\0');
        ck_assert(command->argument_max <= CLI_ARGUMENTS_MAX);
    }
    ck_assert_uint_gt(count, 15);
}
END_TEST

START_TEST(a_port_option_becomes_port_policy_and_requirement)
{
    struct cli cli = {0};
    bool done = true;
    ck_assert_int_eq(PARSE(&cli, &done, W("vm"), W("create"), W("web-1"),
                           W("--vcpus"), W("2"), W("--port"),
                           W("name=eth0,physical_network=p0,vlan=100,trust=on,"
                             "vendor_id=8086"),
                           W("--strategy"), W("pack")),
                     0);
    json_t *request = vm_request_of_options(&cli);
    json_t *expected = json_loads(
        "{\"name\":\"web-1\",\"vcpus\":2,\"memory_mib\":1024,\"ports\":[{"
        "\"name\":\"eth0\",\"physical_network\":\"p0\",\"policy\":{\"vlan\":"
        "100,"
        "\"trust\":\"on\"},\"require\":{\"vendor_id\":\"8086\"}}],"
        "\"placement\":{\"strategy\":\"pack\"}}",
        0, NULL);
    ck_assert(json_equal(request, expected));
    json_decref(request);
    json_decref(expected);
}
END_TEST

START_TEST(a_device_option_becomes_device_and_requirement)
{
    struct cli cli = {0};
    bool done = true;
    ck_assert_int_eq(
        PARSE(&cli, &done, W("vm"), W("create"), W("db"), W("--device"),
              W("kind=storage,name=disk0,vendor_id=144d,device_id=a824"),
              W("--device"), W("kind=accelerator")),
        0);
    json_t *request = vm_request_of_options(&cli);
    json_t *expected = json_loads(
        "{\"name\":\"db\",\"vcpus\":1,\"memory_mib\":1024,\"devices\":["
        "{\"kind\":\"storage\",\"name\":\"disk0\",\"require\":"
        "{\"vendor_id\":\"144d\",\"device_id\":\"a824\"}},"
        "{\"kind\":\"accelerator\"}]}",
        0, NULL);
    ck_assert(json_equal(request, expected));
    json_decref(request);
    json_decref(expected);
}
END_TEST

START_TEST(a_bad_device_option_is_refused)
{
    static const char *const bad[] = {"storage", "kind=storage,vlan=4",
                                      "kind=storage,mac=x"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct cli cli = {0};
        bool done = true;
        ck_assert_int_eq(PARSE(&cli, &done, W("vm"), W("create"), W("a"),
                               W("--device"), W(bad[i])),
                         0);
        ck_assert_ptr_null(vm_request_of_options(&cli));
    }
}
END_TEST

START_TEST(a_bad_port_option_is_refused)
{
    static const char *const bad[] = {"vlan", "vlan=ten", "colour=red",
                                      "vlan=-1"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct cli cli = {0};
        bool done = true;
        ck_assert_int_eq(PARSE(&cli, &done, W("vm"), W("create"), W("a"),
                               W("--port"), W(bad[i])),
                         0);
        ck_assert_ptr_null(vm_request_of_options(&cli));
    }
}
END_TEST

START_TEST(path_segments_are_encoded)
{
    auto_free char *path =
        cli_path("/v1/hosts/{}/pfs/{}", "../a b", "0000:3b:00.0");
    ck_assert_str_eq(path, "/v1/hosts/..%2Fa%20b/pfs/0000%3A3b%3A00.0");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cli/options");
    TCase *tests = tcase_create("options");
    tcase_add_test(tests, a_noun_and_verb_find_their_command);
    tcase_add_test(tests, options_stand_anywhere_in_both_forms);
    tcase_add_test(tests, what_is_unknown_or_missing_is_refused);
    tcase_add_test(tests, every_command_has_help_with_an_example);
    tcase_add_test(tests, a_port_option_becomes_port_policy_and_requirement);
    tcase_add_test(tests, a_device_option_becomes_device_and_requirement);
    tcase_add_test(tests, a_bad_device_option_is_refused);
    tcase_add_test(tests, a_bad_port_option_is_refused);
    tcase_add_test(tests, path_segments_are_encoded);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Loading plug-ins: good ones, broken ones, ones that somebody else could have
 * put there; and what they say. The files are made by the build
 * (tests/unit/agent/host/plugins, plugins/nic). */
#include "agent/host/plugins.h"
#include "common/base/mem.h"
#include "plugins/plugin.h"

#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64];
static struct pf *pf;
static unsigned refusals;
static char refused_file[512];
static struct error refusal;

static void on_refused(void *context, const char *file, const struct error *err)
{
    (void)context;
    refusals++;
    snprintf(refused_file, sizeof refused_file, "%s", file);
    refusal = *err;
}

static void begin(void)
{
    snprintf(folder, sizeof folder, "/tmp/test_plugins.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    pf = pf_new(0);
    pf->driver = "igb";
    pf->firmware = "1.2";
    pf->vendor_id = 0x8086;
    pf->device_id = 0x10c9;
    pf->link_up = true;
    pf->link_speed_mbps = 1000;
    refusals = 0;
}

static void end(void)
{
    DIR *stream = opendir(folder);
    const struct dirent *entry;
    while (stream && (entry = readdir(stream)))
        if (entry->d_name[0] != '.')
            unlinkat(dirfd(stream), entry->d_name, 0);
    if (stream)
        closedir(stream);
    ck_assert_int_eq(rmdir(folder), 0);
    ref_put(pf);
}

static char *place(const char *name)
{
    return mem_printf("%s/%s", folder, name);
}

/* Copy a built plug-in into the folder, mode 0644. */
static void put(const char *from, const char *name)
{
    auto_free char *to = place(name);
    auto_close int in = open(from, O_RDONLY | O_CLOEXEC);
    auto_close int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0);
    ck_assert_msg(in >= 0 && out >= 0, "%s", from);
    char part[4096];
    ssize_t length;
    while ((length = read(in, part, sizeof part)) > 0)
        ck_assert_int_eq(write(out, part, (size_t)length), length);
    ck_assert_int_eq(fchmod(out, 0644), 0);
}

static void put_case(const char *name)
{
    auto_free char *from = mem_printf(TEST_PLUGINS "/fixture-%s.so", name);
    put(from, "fixture.so");
}

static struct plugins *load(void)
{
    return plugins_load(
        &(struct plugins_config){.folder = folder, .refused = on_refused});
}

/* Nothing is loaded, and the file is refused with this in the message. */
static void expect_refused(const char *text)
{
    struct plugin_facts facts;
    struct plugins *plugins = load();
    ck_assert(!plugins_at(plugins, 0, &facts));
    ck_assert_uint_eq(refusals, 1);
    ck_assert_msg(strstr(refusal.msg, text) != NULL, "%s", refusal.msg);
    struct capabilities told = plugins_tell(plugins, pf, "6.1");
    struct capabilities nothing = capabilities_unknown();
    ck_assert(capabilities_equal(&told, &nothing));
    plugins_free(plugins);
}

START_TEST(a_good_one_is_loaded_and_asked_of_its_driver)
{
    struct plugin_facts facts;
    put_case("GOOD");
    struct plugins *plugins = load();
    ck_assert_uint_eq(refusals, 0);
    ck_assert(plugins_at(plugins, 0, &facts));
    ck_assert(!plugins_at(plugins, 1, &facts));
    ck_assert_str_eq(facts.name, "fixture");
    ck_assert_str_eq(facts.version, "7");
    ck_assert_str_eq(facts.drivers[0], "igb");
    struct capabilities told = plugins_tell(plugins, pf, "6.1.0-test");
    const struct capability *trust = &told.field[POLICY_TRUST];
    ck_assert_uint_eq(trust->support, CAPABILITY_UNSUPPORTED);
    ck_assert_uint_eq(trust->source, CAPABILITY_SOURCE_PLUGIN);
    ck_assert_str_eq(trust->note, "6.1.0-test");
    /* The link's speed is told as it is now. */
    const struct capability *rate = &told.field[POLICY_MAX_TX_RATE_MBPS];
    ck_assert_uint_eq(rate->support, CAPABILITY_CONDITIONAL);
    ck_assert_uint_eq(rate->needs,
                      CAPABILITY_NEED_BIT(CAPABILITY_NEED_LINK_SPEED));
    ck_assert_uint_eq(rate->max, 1000);
    pf->link_speed_mbps = -1;
    told = plugins_tell(plugins, pf, "6.1.0-test");
    ck_assert_uint_eq(rate->max, 0);
    ck_assert_uint_eq(told.field[POLICY_MAC].support, CAPABILITY_UNKNOWN);
    pf->driver = "another";
    told = plugins_tell(plugins, pf, "6.1.0-test");
    struct capabilities nothing = capabilities_unknown();
    ck_assert(capabilities_equal(&told, &nothing));
    plugins_free(plugins);
}
END_TEST

START_TEST(a_broken_one_is_refused_and_says_why)
{
    static const struct {
        const char *name, *text;
    } cases[] = {
        {"OTHER_ABI", "made for plug-in ABI 2, this agent has 1"},
        {"SHORT", "has 8 bytes"},
        {"NO_DRIVERS", "names no drivers"},
        {"ODD_NAME", "name or version"},
        {"MANY_DRIVERS", "more than 32 drivers"},
        {"NO_SYMBOL", "no symbol 'sriov_plugin'"},
        {"UNRESOLVED", "nobody_has_this"},
    };
    put_case(cases[_i].name);
    expect_refused(cases[_i].text);
}
END_TEST

START_TEST(what_is_no_library_is_refused)
{
    auto_free char *path = place("text.so");
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    fputs("no library\n", file);
    fclose(file);
    expect_refused("can't be loaded");
}
END_TEST

/* A good one beside it is asked further. */
START_TEST(one_that_says_nonsense_is_asked_no_more)
{
    static const struct {
        const char *name, *text;
    } cases[] = {
        {"ODD_SUBJECT", "there is no subject"},
        {"ENDLESS_NOTE", "does not end"},
        {"CHATTY", "more than 64 words"},
    };
    struct plugin_facts facts;
    put_case(cases[_i].name);
    put(TEST_PLUGINS "/fixture-GOOD.so", "good.so");
    struct plugins *plugins = load();
    ck_assert_uint_eq(refusals, 0);
    ck_assert(plugins_at(plugins, 1, &facts));
    struct capabilities told = plugins_tell(plugins, pf, "6.1");
    ck_assert_uint_eq(refusals, 1);
    ck_assert_ptr_nonnull(strstr(refusal.msg, cases[_i].text));
    ck_assert_ptr_nonnull(strstr(refused_file, "fixture.so"));
    ck_assert(!plugins_at(plugins, 1, &facts));
    ck_assert_uint_eq(told.field[POLICY_MAX_TX_RATE_MBPS].max, 1000);
    plugins_tell(plugins, pf, "6.1");
    ck_assert_uint_eq(refusals, 1);
    plugins_free(plugins);
}
END_TEST

START_TEST(a_file_that_others_can_change_is_refused)
{
    static const mode_t modes[] = {0664, 0646, 0666};
    put_case("GOOD");
    auto_free char *path = place("fixture.so");
    ck_assert_int_eq(chmod(path, modes[_i]), 0);
    expect_refused("writable by others");
    ck_assert_ptr_nonnull(strstr(refusal.remedy, "chmod go-w"));
}
END_TEST

START_TEST(a_folder_that_others_can_change_is_refused)
{
    static const mode_t modes[] = {0770, 0707, 01777};
    put_case("GOOD");
    ck_assert_int_eq(chmod(folder, modes[_i]), 0);
    expect_refused("writable by others");
    ck_assert_str_eq(refused_file, folder);
}
END_TEST

START_TEST(a_folder_below_one_that_others_can_change_is_refused)
{
    put_case("GOOD");
    auto_free char *above = mem_printf("%s", folder);
    auto_free char *below = place("nic");
    ck_assert_int_eq(mkdir(below, 0755), 0);
    ck_assert_int_eq(chmod(folder, 0777), 0);
    snprintf(folder, sizeof folder, "%s", below);
    expect_refused("writable by others");
    snprintf(folder, sizeof folder, "%s", above);
    ck_assert_int_eq(rmdir(below), 0);
}
END_TEST

START_TEST(a_file_or_folder_of_another_user_is_refused)
{
    if (geteuid() != 0)
        return; /* only root can give files away */
    put_case("GOOD");
    auto_free char *path = place("fixture.so");
    ck_assert_int_eq(chown(path, 65534, 65534), 0);
    expect_refused("belongs to user 65534");
    ck_assert_int_eq(chown(path, 0, 0), 0);
    ck_assert_int_eq(chown(folder, 65534, 65534), 0);
    refusals = 0;
    expect_refused("belongs to user 65534");
}
END_TEST

START_TEST(a_link_is_refused)
{
    auto_free char *path = place("fixture.so");
    ck_assert_int_eq(symlink(TEST_PLUGINS "/fixture-GOOD.so", path), 0);
    expect_refused("no regular file");
}
END_TEST

START_TEST(a_folder_that_is_not_there_holds_none)
{
    struct plugin_facts facts;
    struct plugins *plugins = plugins_load(&(struct plugins_config){
        .folder = "/nowhere/at/all", .refused = on_refused});
    ck_assert(!plugins_at(plugins, 0, &facts));
    ck_assert_uint_eq(refusals, 0);
    plugins_free(plugins);
}
END_TEST

START_TEST(only_so_many_are_loaded)
{
    struct plugin_facts facts;
    for (int i = 0; i < PLUGINS_MAX + 2; i++) {
        char name[32];
        snprintf(name, sizeof name, "p%03d.so", i);
        put(TEST_PLUGINS "/fixture-GOOD.so", name);
    }
    auto_free char *other = place("README");
    FILE *file = fopen(other, "w");
    ck_assert_ptr_nonnull(file);
    fclose(file);
    struct plugins *plugins = load();
    ck_assert(plugins_at(plugins, PLUGINS_MAX - 1, &facts));
    ck_assert(!plugins_at(plugins, PLUGINS_MAX, &facts));
    ck_assert_uint_eq(refusals, 1);
    ck_assert_ptr_nonnull(strstr(refusal.msg, "66 plug-ins"));
    plugins_free(plugins);
}
END_TEST

/* ---- words ------------------------------------------------------------------------- */

static const struct sriov_plugin_word good = {.size = sizeof good,
                                              .subject = SRIOV_SUBJECT_VLAN,
                                              .support =
                                                  SRIOV_SUPPORT_SUPPORTED,
                                              .max = 4094,
                                              .note = "why"};

static void expect_word_refused(const struct sriov_plugin_word *word,
                                const char *text)
{
    struct capabilities out = capabilities_unknown(), nothing = out;
    struct error err = {0};
    ck_assert_int_eq(plugins_take_word(word, pf, &out, &err), -1);
    ck_assert_msg(strstr(err.msg, text) != NULL, "%s", err.msg);
    ck_assert(capabilities_equal(&out, &nothing));
}

START_TEST(each_member_of_a_word_is_checked)
{
    struct capabilities out = capabilities_unknown();
    struct error err = {0};
    ck_assert_int_eq(plugins_take_word(&good, pf, &out, &err), 0);
    ck_assert_uint_eq(out.field[POLICY_VLAN].max, 4094);
    expect_word_refused(NULL, "no word");
    struct sriov_plugin_word word = good;
    word.size = sizeof word - 1;
    expect_word_refused(&word, "bytes");
    static const uint32_t numbers[] = {0, 4, UINT32_MAX};
    for (size_t i = 0; i < 3; i++) {
        word = good;
        word.support = numbers[i];
        expect_word_refused(&word, "no support");
        word = good;
        word.subject = SRIOV_SUBJECT_COUNT + numbers[i] / 2;
        expect_word_refused(&word, "no subject");
    }
    word = good;
    word.max = 4095;
    expect_word_refused(&word, "out of range");
    word.max = SRIOV_MAX_LINK_SPEED;
    expect_word_refused(&word, "out of range");
    word.subject = SRIOV_SUBJECT_MAC;
    word.max = 1;
    expect_word_refused(&word, "out of range");
    word = good;
    word.needs = SRIOV_NEEDS_LINK_UP;
    expect_word_refused(&word, "needs");
    word.support = SRIOV_SUPPORT_CONDITIONAL;
    word.needs = 0;
    expect_word_refused(&word, "needs");
    word.needs = 4;
    expect_word_refused(&word, "needs");
    word = good;
    word.note[0] = '\n';
    expect_word_refused(&word, "note");
    memset(word.note, 'x', sizeof word.note);
    expect_word_refused(&word, "note");
}
END_TEST

/* ---- the shipped ones ----------------------------------------------------------------- */

static struct plugins *load_shipped(void)
{
    DIR *stream = opendir(SHIPPED_PLUGINS);
    ck_assert_ptr_nonnull(stream);
    const struct dirent *entry;
    while ((entry = readdir(stream))) {
        auto_free char *from = mem_printf(SHIPPED_PLUGINS "/%s", entry->d_name);
        if (strstr(entry->d_name, ".so"))
            put(from, entry->d_name);
    }
    closedir(stream);
    return load();
}

START_TEST(the_shipped_ones_load_and_keep_the_rules)
{
    static const char *const names[] = {"bnxt_en", "example", "i40e",     "ice",
                                        "igb",     "ixgbe",   "mlx5_core"};
    struct plugins *plugins = load_shipped();
    struct plugin_facts facts;
    size_t count = sizeof names / sizeof *names;
    for (size_t i = 0; i < count; i++) {
        ck_assert(plugins_at(plugins, i, &facts));
        ck_assert_str_eq(facts.name, names[i]);
    }
    ck_assert(!plugins_at(plugins, count, &facts));
    /* Of each driver, in each state of a link. */
    static const int32_t speeds[] = {-1, 100, 10000, 400000};
    for (size_t i = 0; i < count * 8; i++) {
        if (plugins_at(plugins, i / 8, &facts))
            pf->driver = facts.drivers[0];
        pf->link_up = i & 1;
        pf->link_speed_mbps = speeds[i / 2 % 4];
        pf->device_id = i & 1 ? 0x10c9 : 0x1521;
        struct capabilities told = plugins_tell(plugins, pf, "6.1");
        struct capabilities nothing = capabilities_unknown();
        ck_assert(!capabilities_equal(&told, &nothing));
    }
    ck_assert_uint_eq(refusals, 0);
    plugins_free(plugins);
}
END_TEST

START_TEST(igbs_rates_are_of_the_82576_only)
{
    struct plugins *plugins = load_shipped();
    struct capabilities told = plugins_tell(plugins, pf, "6.1");
    const struct capability *rate = &told.field[POLICY_MAX_TX_RATE_MBPS];
    ck_assert_uint_eq(rate->support, CAPABILITY_CONDITIONAL);
    ck_assert_uint_eq(rate->needs,
                      CAPABILITY_NEED_BIT(CAPABILITY_NEED_LINK_UP) |
                          CAPABILITY_NEED_BIT(CAPABILITY_NEED_LINK_SPEED));
    ck_assert_uint_eq(rate->max, 1000);
    pf->device_id = 0x1521; /* I350 */
    told = plugins_tell(plugins, pf, "6.1");
    ck_assert_uint_eq(rate->support, CAPABILITY_UNSUPPORTED);
    plugins_free(plugins);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("agent/host plugins");
    TCase *c = tcase_create("plugins");
    tcase_add_checked_fixture(c, begin, end);
    tcase_add_test(c, a_good_one_is_loaded_and_asked_of_its_driver);
    tcase_add_loop_test(c, a_broken_one_is_refused_and_says_why, 0, 7);
    tcase_add_test(c, what_is_no_library_is_refused);
    tcase_add_loop_test(c, one_that_says_nonsense_is_asked_no_more, 0, 3);
    tcase_add_loop_test(c, a_file_that_others_can_change_is_refused, 0, 3);
    tcase_add_loop_test(c, a_folder_that_others_can_change_is_refused, 0, 3);
    tcase_add_test(c, a_folder_below_one_that_others_can_change_is_refused);
    tcase_add_test(c, a_file_or_folder_of_another_user_is_refused);
    tcase_add_test(c, a_link_is_refused);
    tcase_add_test(c, a_folder_that_is_not_there_holds_none);
    tcase_add_test(c, only_so_many_are_loaded);
    tcase_add_test(c, each_member_of_a_word_is_checked);
    tcase_add_test(c, the_shipped_ones_load_and_keep_the_rules);
    tcase_add_test(c, igbs_rates_are_of_the_82576_only);
    suite_add_tcase(s, c);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failures = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failures ? 1 : 0;
}

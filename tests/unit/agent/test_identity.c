/* SPDX-License-Identifier: Apache-2.0 */
/* Which machine an agent says it runs on. */
#include "agent/identity.h"

#include "common/base/file.h"
#include "common/base/log.h"
#include "common/base/mem.h"

#include <check.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static char folder[64];
static struct error err;

static void setup(void)
{
    strcpy(folder, "/tmp/identity.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    err = (struct error){0};
}

static void teardown(void)
{
    for (int i = 0; i < 2; i++) {
        auto_free char *path =
            mem_printf("%s/%s", folder, i ? "machine-id" : "system");
        unlink(path);
    }
    rmdir(folder);
}

/* identity_machine() with the system's file holding 'text'; NULL = no file. */
static int ask(const char *text, struct uuid *out)
{
    auto_free char *system = mem_printf("%s/system", folder);
    if (text)
        ck_assert_int_eq(file_replace(system, text, strlen(text), 0644, NULL),
                         0);
    return identity_machine(system, folder, out, &err);
}

START_TEST(the_systems_id_is_taken_in_its_own_form)
{
    struct uuid id;
    char text[UUID_TEXT_SIZE];
    ck_assert_int_eq(ask("0123456789abcdef0123456789abcdef\n", &id), 0);
    ck_assert_str_eq(uuid_format(&id, text),
                     "01234567-89ab-cdef-0123-456789abcdef");
}
END_TEST

START_TEST(a_system_without_one_keeps_an_id_of_its_own)
{
    struct uuid first, again, third;
    ck_assert_int_eq(ask(NULL, &first), 0);
    ck_assert(!uuid_is_zero(&first));
    ck_assert_int_eq(ask(NULL, &again), 0);
    ck_assert(uuid_equal(&first, &again));
    ck_assert_int_eq(ask("uninitialized\n", &third), 0);
    ck_assert(uuid_equal(&first, &third));
}
END_TEST

START_TEST(a_damaged_own_id_is_not_replaced_silently)
{
    auto_free char *path = mem_printf("%s/machine-id", folder);
    ck_assert_int_eq(file_replace(path, "x\n", 2, 0644, NULL), 0);
    struct uuid id;
    ck_assert_int_eq(ask(NULL, &id), -1);
    ck_assert_int_eq(err.code, ERROR_INVALID);
    ck_assert_ptr_nonnull(strstr(err.msg, path));
    ck_assert(err.remedy[0] != '\0');
}
END_TEST

START_TEST(a_boot_has_an_id)
{
    struct uuid first, again;
    ck_assert_int_eq(identity_boot(&first, &err), 0);
    ck_assert_int_eq(identity_boot(&again, &err), 0);
    ck_assert(uuid_equal(&first, &again));
}
END_TEST

static void quiet(void *context, const char *module, enum log_level level,
                  const char *line)
{
    (void)context, (void)module, (void)level, (void)line;
}

int main(void)
{
    log_set_sink(quiet, NULL);
    Suite *suite = suite_create("agent/identity");
    TCase *tests = tcase_create("identity");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, the_systems_id_is_taken_in_its_own_form);
    tcase_add_test(tests, a_system_without_one_keeps_an_id_of_its_own);
    tcase_add_test(tests, a_damaged_own_id_is_not_replaced_silently);
    tcase_add_test(tests, a_boot_has_an_id);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}

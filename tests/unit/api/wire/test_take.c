/* SPDX-License-Identifier: Apache-2.0 */
/* Taking small values: what is refused, and that failures leave all alone. */
#include "api/wire/value.h"
#include "tests/unit/api/wire/samples.h"

static struct error err;
static json_t *object;
static struct json_reader reader;

static void begin(const char *text)
{
    json_decref(object);
    object = parsed(text);
    err = (struct error){0};
    json_reader_begin(&reader, object, "p", &err);
}

START_TEST(paths_are_joined_and_cut)
{
    char path[WIRE_PATH_SIZE], big[200];
    ck_assert_str_eq(wire_path(path, "", "a"), "a");
    ck_assert_str_eq(wire_path(path, "a", "b"), "a.b");
    ck_assert_str_eq(wire_path_at(path, "", "a", 3), "a[3]");
    ck_assert_str_eq(wire_path_at(path, "x[1]", "a", 3), "x[1].a[3]");
    memset(big, 'x', sizeof big - 1);
    big[sizeof big - 1] = '\0';
    ck_assert_uint_eq(strlen(wire_path_at(path, big, big, 1)),
                      WIRE_PATH_SIZE - 1);
}
END_TEST

/* One member "v" is refused by each reader; the output stays. */
START_TEST(near_misses_are_refused_with_an_example)
{
    struct uuid uuid = {{9}};
    struct mac mac = {{9}};
    struct pci_address pci = {.domain = 9};
    struct pf_key key = {"old"};
    struct revision revision = {9, 9};
    uint16_t id = 9;
    uint8_t hash[32] = {9};
    begin("{\"v\":\"1\"}");
    ck_assert(!wire_take_uuid(&reader, "v", true, &uuid));
    ck_assert_ptr_nonnull(strstr(err.remedy, "01890a5d"));
    begin("{\"v\":\"1\"}");
    ck_assert(!wire_take_mac(&reader, "v", true, &mac));
    begin("{\"v\":\"1\"}");
    ck_assert(!wire_take_pci(&reader, "v", &pci));
    ck_assert_ptr_nonnull(strstr(err.remedy, "0000:3b:0a.1"));
    begin("{\"v\":\"1\"}");
    ck_assert(!wire_take_pf_key(&reader, "v", true, &key));
    begin("{\"v\":\"1\"}");
    ck_assert(!wire_take_revision(&reader, "v", true, &revision));
    begin("{\"v\":\"0x86\"}");
    ck_assert(!wire_take_hex16(&reader, "v", &id));
    begin("{\"v\":\"1\"}");
    ck_assert(!wire_take_hash(&reader, "v", hash));
    ck_assert_str_eq(err.field, "p.v");
    ck_assert(uuid.bytes[0] == 9 && mac.bytes[0] == 9 && pci.domain == 9 &&
              revision.epoch == 9 && id == 9 && hash[0] == 9);
    ck_assert_str_eq(key.text, "old");
}
END_TEST

START_TEST(absent_values_are_no_failure_unless_required)
{
    struct uuid uuid;
    struct revision revision;
    int64_t ns = 5;
    bool on = true;
    begin("{\"n\":null}");
    ck_assert(!wire_take_uuid(&reader, "n", false, &uuid));
    ck_assert(!wire_take_time(&reader, "a", &ns));
    ck_assert(!wire_take_on_off(&reader, "b", &on));
    ck_assert(!reader.failed && ns == 5 && on);
    ck_assert(!wire_take_revision(&reader, "r", true, &revision));
    ck_assert(reader.failed);
    ck_assert_str_eq(err.field, "p.r");
}
END_TEST

START_TEST(a_later_word_does_not_hide_the_first_failure)
{
    static const char *const names[] = {"red", NULL, "blue"};
    uint64_t number;
    uint8_t choice = 7;
    bool on = true;
    begin("{\"a\":-1,\"c\":\"green\",\"s\":true}");
    ck_assert(!json_take_u64(&reader, "a", true, 0, 5, &number));
    ck_assert(!wire_take_choice(&reader, "c", true, names, 3, &choice));
    ck_assert(!wire_take_on_off(&reader, "s", &on));
    ck_assert_str_eq(err.field, "p.a");
    ck_assert_str_eq(err.remedy, "send a whole number 0-5");
    ck_assert_uint_eq(choice, 7);
}
END_TEST

START_TEST(a_choice_is_the_index_and_gaps_match_nothing)
{
    static const char *const names[] = {"red", NULL, "blue"};
    uint8_t choice = 7;
    begin("{\"c\":\"blue\"}");
    ck_assert(wire_take_choice(&reader, "c", true, names, 3, &choice));
    ck_assert_uint_eq(choice, 2);
    begin("{\"c\":\"\"}");
    ck_assert(!wire_take_choice(&reader, "c", true, names, 3, &choice));
    ck_assert_str_eq(err.msg, "'' is not one of \"red\", \"blue\"");
    ck_assert_str_eq(err.remedy, "send one of \"red\", \"blue\"");
}
END_TEST

START_TEST(a_long_text_is_cut_between_characters)
{
    char text[600] = "{\"v\":\"";
    const char *out = NULL;
    for (int i = 0; i < 127; i++)
        strcat(text, "é"); /* 254 bytes */
    strcat(text, "éz\"}");
    begin(text);
    ck_assert(wire_take_interned(&reader, "v", &out));
    ck_assert_uint_eq(strlen(out), 254);
    ck_assert_str_eq(out + 252, "é");
    begin("{\"v\":\"short\"}");
    ck_assert(wire_take_interned(&reader, "v", &out));
    ck_assert_str_eq(out, "short");
}
END_TEST

CHECK_MAIN("wire take", paths_are_joined_and_cut,
           near_misses_are_refused_with_an_example,
           absent_values_are_no_failure_unless_required,
           a_later_word_does_not_hide_the_first_failure,
           a_choice_is_the_index_and_gaps_match_nothing,
           a_long_text_is_cut_between_characters);

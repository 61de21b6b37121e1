/* SPDX-License-Identifier: Apache-2.0 */
/* Targets of PFs: what is set, met, put back, and said in words. */
#include "common/model/pf_target.h"
#include "tests/unit/check_main.h"

#include <string.h>

static const struct pf_target all = {.has_num_vfs = true,
                                     .num_vfs = 4,
                                     .autoprobe = AUTOPROBE_OFF,
                                     .bridge_mode = BRIDGE_VEPA};

START_TEST(what_is_not_set_is_met_by_anything)
{
    struct pf pf = {.num_vfs = 7, .autoprobe = AUTOPROBE_ON};
    struct pf_target none = {0};
    ck_assert(pf_target_is_empty(&none));
    ck_assert(pf_target_met(&none, &pf));
    struct pf_target zero = {.has_num_vfs = true};
    ck_assert(!pf_target_is_empty(&zero));
    ck_assert(!pf_target_met(&zero, &pf));
    ck_assert_str_eq(pf_target_difference(&zero, &pf), "num_vfs");
}
END_TEST

START_TEST(each_member_must_be_as_it_is_set)
{
    struct pf pf = {
        .num_vfs = 4, .autoprobe = AUTOPROBE_OFF, .bridge_mode = BRIDGE_VEPA};
    ck_assert(pf_target_met(&all, &pf));
    pf.bridge_mode = BRIDGE_NONE;
    ck_assert_str_eq(pf_target_difference(&all, &pf), "bridge_mode");
    pf.autoprobe = AUTOPROBE_ON;
    ck_assert_str_eq(pf_target_difference(&all, &pf), "vf_drivers_autoprobe");
}
END_TEST

START_TEST(only_what_is_set_and_told_is_put_back)
{
    struct pf pf = {.num_vfs = 2, .autoprobe = AUTOPROBE_ON};
    struct pf_target before = pf_target_before(&all, &pf);
    struct pf_target expected = {
        .has_num_vfs = true, .num_vfs = 2, .autoprobe = AUTOPROBE_ON};
    ck_assert(pf_target_equal(&before, &expected));
    struct pf_target count = {.has_num_vfs = true, .num_vfs = 4};
    before = pf_target_before(&count, &pf);
    ck_assert_int_eq(before.autoprobe, AUTOPROBE_NONE);
}
END_TEST

START_TEST(a_target_comes_from_the_document_whole)
{
    struct desired_pf desired = {.has_num_vfs = true,
                                 .num_vfs = 4,
                                 .autoprobe = AUTOPROBE_OFF,
                                 .bridge_mode = BRIDGE_VEPA};
    struct pf_target target = pf_target_of(&desired);
    ck_assert(pf_target_equal(&target, &all));
    target.num_vfs = 5;
    ck_assert(!pf_target_equal(&target, &all));
}
END_TEST

START_TEST(a_target_is_said_in_words)
{
    char text[PF_TARGET_TEXT_SIZE];
    struct pf_target target = all;
    ck_assert_str_eq(pf_target_text(&target, text),
                     "num_vfs 4, vf_drivers_autoprobe off, bridge_mode vepa");
    target.autoprobe = AUTOPROBE_NONE;
    ck_assert_str_eq(pf_target_text(&target, text),
                     "num_vfs 4, bridge_mode vepa");
    target = (struct pf_target){.bridge_mode = BRIDGE_VEB};
    ck_assert_str_eq(pf_target_text(&target, text), "bridge_mode veb");
    target = (struct pf_target){.autoprobe = AUTOPROBE_ON};
    ck_assert_str_eq(pf_target_text(&target, text), "vf_drivers_autoprobe on");
    target = (struct pf_target){0};
    ck_assert_str_eq(pf_target_text(&target, text), "nothing");
}
END_TEST

CHECK_MAIN("pf_target", what_is_not_set_is_met_by_anything,
           each_member_must_be_as_it_is_set,
           only_what_is_set_and_told_is_put_back,
           a_target_comes_from_the_document_whole, a_target_is_said_in_words);

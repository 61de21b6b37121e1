/* SPDX-License-Identifier: Apache-2.0 */
/* What is told of a field that was tried with the link up and down. */
#include "agent/core/internal.h"
#include "tests/unit/check_main.h"

#include <string.h>

#define UP CAPABILITY_NEED_BIT(CAPABILITY_NEED_LINK_UP)
#define SPEED CAPABILITY_NEED_BIT(CAPABILITY_NEED_LINK_SPEED)

/* Short forms for the table: not tried, works, does not, and what of rates. */
#define NOTHING                                                                \
    {                                                                          \
        .support = CAPABILITY_UNKNOWN, .note = ""                              \
    }
#define WORKS                                                                  \
    {                                                                          \
        .support = CAPABILITY_SUPPORTED, .note = ""                            \
    }
#define FAILS                                                                  \
    {                                                                          \
        .support = CAPABILITY_UNSUPPORTED, .note = "EOPNOTSUPP"                \
    }
#define BOUNDED                                                                \
    {                                                                          \
        .support = CAPABILITY_CONDITIONAL, .needs = SPEED, .note = "b"         \
    }
#define REFUSED                                                                \
    {                                                                          \
        .support = CAPABILITY_CONDITIONAL, .needs = UP, .note = "r"            \
    }

static const struct {
    struct capability up, down;
    enum capability_support support;
    unsigned needs;
    const char *note;
} cases[] = {
    {NOTHING, NOTHING, CAPABILITY_UNKNOWN, 0, ""},
    /* seen in one state only: what it knows */
    {WORKS, NOTHING, CAPABILITY_SUPPORTED, 0, ""},
    {FAILS, NOTHING, CAPABILITY_UNSUPPORTED, 0, "EOPNOTSUPP"},
    {BOUNDED, NOTHING, CAPABILITY_CONDITIONAL, SPEED, "b"},
    {NOTHING, WORKS, CAPABILITY_SUPPORTED, 0, ""},
    {NOTHING, FAILS, CAPABILITY_UNSUPPORTED, 0, "EOPNOTSUPP"},
    {NOTHING, REFUSED, CAPABILITY_UNKNOWN, 0, "r"},
    /* in both */
    {WORKS, WORKS, CAPABILITY_SUPPORTED, 0, ""},
    {WORKS, REFUSED, CAPABILITY_CONDITIONAL, UP, "r"},
    {WORKS, FAILS, CAPABILITY_CONDITIONAL, UP, "EOPNOTSUPP"},
    {BOUNDED, WORKS, CAPABILITY_CONDITIONAL, SPEED, "b"},
    {BOUNDED, REFUSED, CAPABILITY_CONDITIONAL, SPEED | UP, "b; r"},
    {FAILS, WORKS, CAPABILITY_UNSUPPORTED, 0, "EOPNOTSUPP"},
    {FAILS, REFUSED, CAPABILITY_UNSUPPORTED, 0, "EOPNOTSUPP"},
    {FAILS, FAILS, CAPABILITY_UNSUPPORTED, 0, "EOPNOTSUPP"},
};

START_TEST(both_states_of_the_link_give_one_statement)
{
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct capability got = probe_combine(&cases[i].up, &cases[i].down);
        ck_assert_msg(
            got.support == cases[i].support && got.needs == cases[i].needs &&
                strcmp(got.note, cases[i].note) == 0,
            "case %zu: %s, needs %u, '%s'", i,
            capability_support_name((enum capability_support)got.support),
            got.needs, got.note);
    }
}
END_TEST

CHECK_MAIN("agent/core probes", both_states_of_the_link_give_one_statement);

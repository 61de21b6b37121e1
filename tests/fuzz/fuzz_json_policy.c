/* SPDX-License-Identifier: Apache-2.0 */
/* JSON itself and the policy in it, as clients send it. */
#include "tests/fuzz/fuzz.h"

/* What we write of any text that parses parses again to the same. */
static void check_json(const json_t *value)
{
    auto_free char *first = json_text(value);
    struct error err = {0};
    auto_json json_t *again = json_parse(first, strlen(first), &err);
    if (!again) {
        fprintf(stderr, "%s\n%s\n", err.msg, first);
        abort();
    }
    auto_free char *second = json_text(again);
    fuzz_check_equal(first, second);
}

/* A policy that was let in passes the check and comes back. */
static void check_policy(const struct policy *policy)
{
    struct policy back;
    struct error err = {0};
    auto_json json_t *value = wire_policy(policy);
    if (policy_check(policy, &err) ||
        wire_policy_read(value, "", true, &back, &err) ||
        back.set != policy->set || policy_difference(policy, &back)) {
        fprintf(stderr, "%s: %s\n", err.field, err.msg);
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    auto_json json_t *value = fuzz_parse(data, size);
    if (!value)
        return 0;
    check_json(value);
    struct policy strict, lenient, readback;
    struct error err = {0};
    if (wire_policy_read(value, "ports[0].policy", true, &strict, &err) == 0)
        check_policy(&strict);
    else
        fuzz_check_error(&err);
    err = (struct error){0};
    if (wire_policy_read(value, "", false, &lenient, &err) == 0)
        check_policy(&lenient);
    else
        fuzz_check_error(&err);
    err = (struct error){0};
    if (wire_readback_read(value, "", &readback, &err))
        fuzz_check_error(&err);
    return 0;
}

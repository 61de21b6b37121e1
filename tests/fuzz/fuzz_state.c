/* SPDX-License-Identifier: Apache-2.0 */
/* The agent's state file: what is taken from a damaged disk or another version
 * is written again as it was read, and a refusal leaves nothing behind. */
#include "agent/state.h"

#include "tests/fuzz/fuzz.h"

static char *read_and_write(const char *text, size_t size, struct error *err)
{
    struct agent_state state = {0};
    if (state_parse(text, size, &state, err) < 0) {
        const struct agent_state untouched = {0};
        if (memcmp(&state, &untouched, sizeof state) != 0) {
            fprintf(stderr, "a refused state was half taken\n");
            abort();
        }
        return NULL;
    }
    char *written = state_text(&state, false);
    agent_state_done(&state);
    return written;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error err = {0};
    auto_free char *first = read_and_write((const char *)data, size, &err);
    if (!first) {
        fuzz_check_error(&err);
        return 0;
    }
    auto_free char *second = read_and_write(first, strlen(first), &err);
    if (!second) {
        fprintf(stderr, "%s\n%s\n", err.msg, first);
        abort();
    }
    fuzz_check_equal(first, second);
    return 0;
}

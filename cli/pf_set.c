/* SPDX-License-Identifier: Apache-2.0 */
/* sriov-admin pf set: the request of its options, and waiting for the host. What
 * a word may be is told by the scheduler, which names the field. */
#include "cli/pf.h"

#include "common/base/mem.h"
#include "common/base/str.h"

#include <stdio.h>
#include <string.h>

/* ---- the request ----------------------------------------------------------------- */

static int add_number(const struct cli *cli, json_t *request,
                      const char *option, const char *member)
{
    const char *text = cli_option(cli, option);
    uint64_t number = 0;
    if (!text)
        return 0;
    if (!str_to_u64(text, 10, INT32_MAX, &number))
        return cli_fail("--%s '%s' is no whole number", option, text);
    return json_object_set_new(request, member,
                               json_integer((json_int_t)number));
}

/* The option's word as it is; null for the one that leaves it alone. */
static int add_word(const struct cli *cli, json_t *request, const char *option,
                    const char *member, const char *leave)
{
    const char *text = cli_option(cli, option);
    if (!text)
        return 0;
    json_t *value =
        leave && strcmp(text, leave) == 0 ? json_null() : json_string(text);
    if (!value)
        return cli_fail("--%s is not valid UTF-8", option);
    return json_object_set_new(request, member, value);
}

static int add_num_vfs(const struct cli *cli, json_t *request)
{
    const char *text = cli_option(cli, "num-vfs");
    if (!text || strcmp(text, "observed") != 0)
        return add_number(cli, request, "num-vfs", "num_vfs");
    return json_object_set_new(request, "num_vfs", json_null());
}

/* "SUPPORT[,NEED...][:MAX]"; NULL after printing what is wrong. 'text' is cut
 * into its parts. */
static json_t *capability_of_text(char *text)
{
    uint64_t max = 0;
    char *colon = strchr(text, ':'), *save = NULL;
    if (colon) {
        *colon = '\0';
        if (!str_to_u64(colon + 1, 10, UINT32_MAX, &max)) {
            cli_fail("--capability: '%s' is no whole number", colon + 1);
            return NULL;
        }
    }
    if (strcmp(text, "none") == 0)
        return json_null();
    json_t *word = json_object(), *needs = json_array();
    const char *support = strtok_r(text, ",", &save);
    json_object_set_new(word, "support", json_string(support ? support : ""));
    for (char *need = NULL; (need = strtok_r(NULL, ",", &save));)
        json_array_append_new(needs, json_string(need));
    if (json_array_size(needs))
        json_object_set(word, "needs", needs);
    if (colon)
        json_object_set_new(word, "max", json_integer((json_int_t)max));
    json_decref(needs);
    return word;
}

static int add_capabilities(const struct cli *cli, json_t *request)
{
    json_t *words = json_object();
    const char *text = NULL;
    for (size_t i = 0; (text = cli_option_at(cli, "capability", i)); i++) {
        auto_free char *copy = mem_strdup(text);
        char *equals = strchr(copy, '=');
        json_t *word = NULL;
        if (equals) {
            *equals = '\0';
            word = capability_of_text(equals + 1);
        } else {
            cli_fail("--capability '%s': write it as FIELD=SUPPORT", text);
        }
        if (!word || json_object_set_new(words, copy, word) < 0) {
            json_decref(words);
            return -1;
        }
    }
    if (json_object_size(words))
        json_object_set(request, "capabilities", words);
    json_decref(words);
    return 0;
}

json_t *pf_request_of_options(const struct cli *cli)
{
    bool allow = cli_option(cli, "allow") != NULL;
    bool deny = cli_option(cli, "deny") != NULL;
    if (allow && deny) {
        cli_fail("--allow and --deny exclude each other");
        return NULL;
    }
    json_t *request = json_object();
    if (allow || deny)
        json_object_set_new(request, "allowed", json_boolean(allow));
    if (add_word(cli, request, "physical-network", "physical_network", NULL) ||
        add_number(cli, request, "link-speed-mbps", "link_speed_mbps") ||
        add_number(cli, request, "tx-ratio", "tx_ratio_percent") ||
        add_num_vfs(cli, request) ||
        add_word(cli, request, "vf-drivers-autoprobe", "vf_drivers_autoprobe",
                 "keep") ||
        add_word(cli, request, "bridge-mode", "bridge_mode", "keep") ||
        add_capabilities(cli, request)) {
        json_decref(request);
        return NULL;
    }
    if (json_object_size(request))
        return request;
    json_decref(request);
    cli_fail("nothing to set; see sriov-admin pf set --help");
    return NULL;
}

/* ---- waiting ---------------------------------------------------------------------- */

/* Until the host has applied the settings as they are now, or ended otherwise,
 * or 'seconds' are over. *pf is replaced by the newest answer. */
static int wait_configured(struct cli *cli, const char *path, uint64_t seconds,
                           json_t **pf)
{
    struct cli_wait wait = cli_wait_begin(seconds);
    for (;;) {
        auto_free char *phase = cli_value_text(*pf, "configuration.phase");
        auto_free char *message =
            cli_value_text(*pf, "configuration.condition.message");
        auto_free char *what =
            mem_printf("waiting for the host to configure the PF: %s", phase);
        /* "-": nothing is set that the host would carry out. */
        if (strcmp(phase, "applied") == 0 || strcmp(phase, "-") == 0) {
            cli_wait_end(cli);
            return 0;
        }
        if (strcmp(phase, "rejected") == 0 || strcmp(phase, "failed") == 0) {
            cli_wait_end(cli);
            return cli_fail("the host's answer is %s: %s", phase, message);
        }
        if (!cli_wait_on(cli, &wait, what)) {
            cli_wait_end(cli);
            return cli_fail("still %s after %llu s: %s; it goes on, see "
                            "sriov-admin pf show",
                            phase, (unsigned long long)seconds, message);
        }
        json_t *body = NULL;
        int status = cli_call(cli, "GET", path, NULL, &body);
        if (status)
            return status;
        json_decref(*pf);
        *pf = body;
    }
}

int pf_run_set(struct cli *cli)
{
    uint64_t seconds = 0;
    json_t *request = pf_request_of_options(cli);
    if (!request || cli_wait_seconds(cli, 90, &seconds)) {
        json_decref(request);
        return 1;
    }
    auto_free char *path =
        cli_path("/v1/hosts/{}/pfs/{}", cli->arguments[0], cli->arguments[1]);
    json_t *pf = NULL;
    int status = cli_call(cli, "PATCH", path, request, &pf);
    json_decref(request);
    if (status == 0 && cli_option(cli, "wait"))
        status = wait_configured(cli, path, seconds, &pf);
    int printed = pf ? pf_print(cli, pf) : 0;
    json_decref(pf);
    return status ? status : printed;
}

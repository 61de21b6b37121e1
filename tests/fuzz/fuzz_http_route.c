/* SPDX-License-Identifier: Apache-2.0 */
/* Requests of every route through the real server and handlers (http/site.h).
 * The input is a few requests as they are on the wire, with '$' words of
 * site.h, each ended by a line "%%":
 *
 *     POST /v1/vms?dry_run=true
 *     If-Match: "1"
 *
 *     {"name": "a"}
 *     %%
 *
 * Without a header of their own they come as the admin's, with their body's type
 * and length. Each answer is sound, each refusal says what and why; the state
 * stays sound, and what was acknowledged survives a restart. */
#include "tests/fuzz/http/site.h"

#include "common/base/str.h"
#include "tests/fuzz/fuzz.h"

#include <strings.h>

#define REQUESTS_MAX 6

static const char *now_asking; /* for messages */

static void check(bool fine, const char *what, const struct mhd_answer *answer)
{
    if (fine)
        return;
    fprintf(stderr, "%s\n%s\n%d %s\n", what, now_asking, answer->status,
            answer->body ? answer->body : "");
    abort();
}

/* ---- answers ----------------------------------------------------------------------- */

static bool has_text(const json_t *value, const char *name)
{
    const char *text = json_string_value(json_object_get(value, name));
    return text && *text;
}

static void check_problem(const json_t *problem,
                          const struct mhd_answer *answer)
{
    check(json_integer_value(json_object_get(problem, "status")) ==
              answer->status,
          "another status in the problem", answer);
    check(has_text(problem, "code") && has_text(problem, "title") &&
              has_text(problem, "detail") && has_text(problem, "request_id"),
          "a problem without words", answer);
    check(has_text(problem, "field") || has_text(problem, "remedy") ||
              json_array_size(json_object_get(problem, "reasons")),
          "a problem that names neither a field nor what to do", answer);
}

static void check_answer(const struct mhd_answer *answer)
{
    check(answer->status >= 200 && answer->status < 500, "a strange status",
          answer);
    if (answer->raw) {
        check(answer->status == 413, "a strange end", answer);
        return;
    }
    const char *type = mhd_header(answer, "Content-Type");
    check(mhd_header(answer, "X-Request-Id") != NULL, "no request id", answer);
    check((answer->length == 0) == (type == NULL) ||
              strcmp(type ? type : "", "text/event-stream") == 0,
          "a body without a type", answer);
    bool is_problem = type && strcmp(type, "application/problem+json") == 0;
    check(is_problem == (answer->status >= 400), "not a problem document",
          answer);
    if (!is_problem && (!type || strcmp(type, "application/json") != 0))
        return;
    auto_json json_t *body = json_parse(answer->body, answer->length, NULL);
    check(json_is_object(body), "the answer is no JSON object", answer);
    if (is_problem)
        check_problem(body, answer);
}

/* ---- requests ------------------------------------------------------------------------- */

static bool has_header(const struct mhd_request *request, const char *name)
{
    for (size_t i = 0; i < request->header_count; i++)
        if (strcasecmp(request->headers[i].name, name) == 0)
            return true;
    return false;
}

static void add_header(struct mhd_request *request, const char *name,
                       const char *value)
{
    if (request->header_count == MHD_HEADERS_MAX)
        return;
    request->headers[request->header_count].name = name;
    request->headers[request->header_count++].value = value;
}

/* Cut "METHOD TARGET" and the headers off 'text', which goes on at the body.
 * What is no request line libmicrohttpd refuses itself. */
static bool take_head(char **text, struct mhd_request *request)
{
    char *line = strsep(text, "\n");
    char *space = strchr(line, ' ');
    if (!space || space == line || !space[1] || strchr(space + 1, ' ') ||
        strpbrk(line, "\t\r"))
        return false;
    *space = '\0';
    request->method = line;
    request->target = space + 1;
    while ((line = strsep(text, "\n")) && *line) {
        char *value = strchr(line, ':');
        if (!value || value == line || strpbrk(line, "\r"))
            return false;
        *value++ = '\0';
        value += strspn(value, " \t");
        if (strpbrk(line, " \t"))
            return false;
        add_header(request, line, value);
    }
    return true;
}

/* The length that a header promises; libmicrohttpd refuses other texts, and
 * hands over no more than that. */
static bool fit_body(struct mhd_request *request)
{
    if (has_header(request, "Transfer-Encoding"))
        return true;
    for (size_t i = 0; i < request->header_count; i++) {
        uint64_t promised = 0;
        if (strcasecmp(request->headers[i].name, "Content-Length") != 0)
            continue;
        if (!str_to_u64(request->headers[i].value, 10, UINT64_MAX, &promised))
            return false;
        if (promised < request->body_length)
            request->body_length = (size_t)promised;
        request->cut = promised > request->body_length;
        return true;
    }
    return true;
}

static void ask(char *text)
{
    struct mhd_request request = {0};
    auto_free char *all = mem_strdup(text);
    char length[24];
    now_asking = all;
    if (!take_head(&text, &request))
        return;
    request.body = text ? text : "";
    request.body_length = strlen(request.body);
    if (!has_header(&request, "Authorization"))
        add_header(&request, "Authorization", "Bearer admin");
    snprintf(length, sizeof length, "%zu", request.body_length);
    if (!has_header(&request, "Content-Length") &&
        !has_header(&request, "Transfer-Encoding") && request.body_length)
        add_header(&request, "Content-Length", length);
    if (!has_header(&request, "Content-Type") && request.body_length)
        add_header(&request, "Content-Type", "application/json");
    if (!fit_body(&request))
        return;
    struct mhd_answer answer;
    site_ask(&request, &answer);
    if (!answer.status)
        check(request.cut, "no answer", &answer);
    else
        check_answer(&answer);
    mhd_answer_done(&answer);
}

/* '$' words replaced; those that stand for nothing stay. */
static void expand(const char *text, struct str *out)
{
    for (; *text; text++) {
        const char *word = *text == '$' && text[1] ? site_word(text[1]) : NULL;
        if (word)
            str_add(out, word);
        else
            str_add_bytes(out, text, 1);
        text += word != NULL;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    auto_free char *text = mem_calloc(size + 1, 1);
    memcpy(text, data, size);
    site_reset();
    char *rest = text;
    for (int i = 0; rest && i < REQUESTS_MAX; i++) {
        char *end = strstr(rest, "\n%%\n");
        if (end)
            *end = '\0';
        auto_str struct str request = {0};
        expand(rest, &request);
        if (request.length)
            ask(request.text);
        rest = end ? end + 4 : NULL;
    }
    site_check_store();
    return 0;
}

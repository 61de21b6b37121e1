/* SPDX-License-Identifier: Apache-2.0 */
/* One HTTP exchange: see transfer.h. Called by multi.c only. Tokens appear in
 * one request header and nowhere else. */
#include "api/client/transfer.h"

#include "api/wire/wire.h"
#include "common/base/file.h"
#include "common/base/mem.h"

#include <fcntl.h>
#include <string.h>

#define TOKEN_FILE_MAX 4096

/* ---- the configuration ---------------------------------------------------------- */

static int check_server(const char *server, struct error *err)
{
    CURLU *url = curl_url();
    char *scheme = NULL;
    char *query = NULL;
    char *user = NULL;
    bool fine = server && url &&
                curl_url_set(url, CURLUPART_URL, server,
                             CURLU_NON_SUPPORT_SCHEME) == CURLUE_OK &&
                curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
                (strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0) &&
                curl_url_get(url, CURLUPART_QUERY, &query, 0) != CURLUE_OK &&
                curl_url_get(url, CURLUPART_USER, &user, 0) != CURLUE_OK;
    curl_free(scheme);
    curl_free(query);
    curl_free(user);
    curl_url_cleanup(url);
    if (fine)
        return 0;
    error_fill(err, ERROR_INVALID, 0, "server",
               "'%s' is not the address of a scheduler", server ? server : "");
    error_remedy(err, "give it as http://HOST:PORT or https://HOST:PORT");
    return -1;
}

int transfer_config_init(struct transfer_config *config,
                         const struct client_config *from, struct error *err)
{
    if (check_server(from->server, err))
        return -1;
    *config = (struct transfer_config){
        .server = mem_strdup(from->server),
        .token = mem_strdup(from->token),
        .token_file = mem_strdup(from->token_file),
        .user_agent = mem_strdup(from->user_agent ? from->user_agent
                                                  : "sriov/" SRIOV_VERSION),
        .timeout_ms = from->timeout_ms ? from->timeout_ms : 30000,
        .connect_timeout_ms =
            from->connect_timeout_ms ? from->connect_timeout_ms : 5000,
    };
    size_t length = strlen(config->server);
    while (length && config->server[length - 1] == '/')
        config->server[--length] = '\0';
    return 0;
}

/* The bytes of a secret are not left behind in freed memory. */
static void free_secret(char *secret)
{
    if (secret)
        explicit_bzero(secret, strlen(secret));
    free(secret);
}

void transfer_config_done(struct transfer_config *config)
{
    free(config->server);
    free_secret(config->token);
    free(config->token_file);
    free(config->user_agent);
    *config = (struct transfer_config){0};
}

/* ---- beginning -------------------------------------------------------------------- */

/* The token for this call in new memory; NULL if there is none, or on failure
 * ('err' set, -1). */
static int find_token(const struct transfer_config *config, const char *given,
                      char **out, struct error *err)
{
    const char *file = given || config->token ? NULL : config->token_file;
    char *token = mem_strdup(given ? given : config->token);
    if (file) {
        token = file_read(AT_FDCWD, file, TOKEN_FILE_MAX, NULL, err);
        if (!token) {
            error_prefix(err, "the token file '%s'", file);
            return -1;
        }
        size_t start = strspn(token, " \t");
        size_t length = strcspn(token + start, "\r\n");
        while (length && strchr(" \t", token[start + length - 1]))
            length--;
        memmove(token, token + start, length);
        token[length] = '\0';
    }
    if (token &&
        (!token[0] || token[strspn(token, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                          "abcdefghijklmnopqrstuvwxyz"
                                          "0123456789-._~+/=")] != '\0')) {
        free_secret(token);
        if (file)
            return error_set_field(err, ERROR_INVALID, "token_file",
                                   "the first line of '%s' is not a token",
                                   file);
        return error_set_field(err, ERROR_INVALID, "token",
                               "the token is empty or has characters that no "
                               "token has");
    }
    *out = token;
    return 0;
}

static size_t receive(char *bytes, size_t size, size_t count, void *context)
{
    struct transfer *transfer = context;
    size_t length = size * count;
    if (transfer->received.length + length > TRANSFER_ANSWER_MAX) {
        transfer->too_large = true;
        return 0;
    }
    str_add_bytes(&transfer->received, bytes, length);
    return length;
}

/* libcurl 7.88 reports success when the connection ends inside of the headers;
 * the empty line tells that they are all there. */
static size_t receive_header(char *line, size_t size, size_t count,
                             void *context)
{
    struct transfer *transfer = context;
    size_t length = size * count;
    if (length > 5 && memcmp(line, "HTTP/", 5) == 0)
        transfer->head_whole = false; /* "100 Continue" came before */
    else if (length && (line[0] == '\r' || line[0] == '\n'))
        transfer->head_whole = true;
    return length;
}

static void set_method(struct transfer *transfer, const char *method)
{
    CURL *easy = transfer->easy;
    bool sends = strcmp(method, "POST") == 0 || strcmp(method, "PUT") == 0 ||
                 strcmp(method, "PATCH") == 0;
    if (strcmp(method, "HEAD") == 0) {
        curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    } else if (transfer->body || sends) {
        const char *body = transfer->body ? transfer->body : "";
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
                         (curl_off_t)strlen(body));
        curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method);
    } else if (strcmp(method, "GET") != 0) {
        curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method);
    }
}

static void add_header(struct transfer *transfer, const char *line)
{
    struct curl_slist *headers = curl_slist_append(transfer->headers, line);
    if (headers)
        transfer->headers = headers;
}

static void set_options(struct transfer *transfer,
                        const struct transfer_config *config)
{
    CURL *easy = transfer->easy;
    curl_easy_setopt(easy, CURLOPT_URL, transfer->url);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, transfer->headers);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->detail);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, receive);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, receive_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, config->user_agent);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, transfer->timeout_ms);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
                     config->connect_timeout_ms);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
    /* A proxy for the web must not stand between the parts of a cloud. */
    curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
}

static int begin(struct transfer *transfer,
                 const struct transfer_config *config,
                 const struct transfer_request *request)
{
    for (const char *c = request->path; *c; c++) {
        if (*c <= ' ' || *c > '~')
            return error_set_field(&transfer->early, ERROR_INVALID, "path",
                                   "the path of a call holds a character that "
                                   "is not percent-encoded");
    }
    char *token = NULL;
    if (find_token(config, request->token, &token, &transfer->early))
        return -1;
    transfer->url = mem_printf("%s%s", config->server, request->path);
    if (token) {
        char *line = mem_printf("Authorization: Bearer %s", token);
        add_header(transfer, line);
        free_secret(line);
        free_secret(token);
    }
    add_header(transfer, transfer->body ? "Content-Type: application/json"
                                        : "Content-Type:");
    for (size_t i = 0; request->headers && request->headers[i]; i++)
        add_header(transfer, request->headers[i]);
    set_options(transfer, config);
    set_method(transfer, request->method);
    return 0;
}

struct transfer *transfer_new(const struct transfer_config *config,
                              const struct transfer_request *request,
                              CURL *easy)
{
    struct transfer *transfer = mem_new(struct transfer);
    transfer->easy = easy;
    transfer->body = request->body;
    transfer->server = config->server;
    transfer->timeout_ms =
        request->timeout_ms ? request->timeout_ms : config->timeout_ms;
    if (!easy) {
        error_fill(&transfer->early, ERROR_INTERNAL, 0, "",
                   "libcurl gave no handle");
    } else if (begin(transfer, config, request)) {
        curl_easy_cleanup(easy);
        transfer->easy = NULL;
    }
    return transfer;
}

CURL *transfer_free(struct transfer *transfer)
{
    CURL *easy = transfer->easy;
    if (easy)
        curl_easy_reset(easy);
    for (struct curl_slist *line = transfer->headers; line; line = line->next)
        explicit_bzero(line->data, strlen(line->data));
    curl_slist_free_all(transfer->headers);
    free(transfer->url);
    free(transfer->body);
    str_done(&transfer->received);
    free(transfer);
    return easy;
}

/* ---- the end ------------------------------------------------------------------------ */

static int unreachable(const struct transfer *transfer, const char *reason,
                       struct error *err)
{
    error_fill(err, ERROR_UNAVAILABLE, 0, "", "can't connect to %s: %s",
               transfer->server, reason);
    error_remedy(err, "is sriov-scheduler running there?");
    return -1;
}

static int read_failure(const struct transfer *transfer, CURLcode code,
                        struct error *err)
{
    const char *reason =
        transfer->detail[0] ? transfer->detail : curl_easy_strerror(code);
    curl_off_t connected_us = 0;
    curl_easy_getinfo(transfer->easy, CURLINFO_PRETRANSFER_TIME_T,
                      &connected_us);
    if (transfer->too_large)
        return error_set(err, ERROR_TOO_LARGE,
                         "the answer of %s is larger than %u MiB",
                         transfer->server, TRANSFER_ANSWER_MAX >> 20);
    if (code == CURLE_PEER_FAILED_VERIFICATION) {
        error_fill(err, ERROR_UNAVAILABLE, 0, "",
                   "the certificate of %s is not valid: %s", transfer->server,
                   reason);
        error_remedy(err, "install its authority's certificate on this host");
        return -1;
    }
    if (code == CURLE_COULDNT_CONNECT || code == CURLE_COULDNT_RESOLVE_HOST ||
        (code == CURLE_OPERATION_TIMEDOUT && !connected_us))
        return unreachable(transfer, reason, err);
    if (code == CURLE_OPERATION_TIMEDOUT)
        return error_set(err, ERROR_TIMEOUT, "no answer from %s within %ld ms",
                         transfer->server, transfer->timeout_ms);
    return error_set(err, ERROR_UNAVAILABLE, "the connection to %s broke: %s",
                     transfer->server, reason);
}

static const char *response_header(const struct transfer *transfer,
                                   const char *name)
{
    struct curl_header *header = NULL;
    if (curl_easy_header(transfer->easy, name, 0, CURLH_HEADER, -1, &header) !=
        CURLHE_OK)
        return NULL;
    return header->value;
}

static void fill_answer(struct transfer *transfer, struct client_answer *answer)
{
    long status = 0;
    curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    answer->status = (int)status;
    const char *etag = response_header(transfer, "ETag");
    if (etag)
        str_copy(answer->etag, etag);
    uint64_t seconds = 0;
    const char *retry = response_header(transfer, "Retry-After");
    if (retry && str_to_u64(retry, 10, 86400, &seconds))
        answer->retry_after_s = (int)seconds;
    const char *type = response_header(transfer, "Content-Type");
    if (type && transfer->received.length &&
        (str_starts(type, "application/json") ||
         str_starts(type, "application/problem+json")))
        answer->body = json_parse(transfer->received.text,
                                  transfer->received.length, NULL);
    answer->text = str_take(&transfer->received);
}

int transfer_result(struct transfer *transfer, CURLcode code,
                    struct client_answer *answer, struct error *err)
{
    *answer = (struct client_answer){.retry_after_s = -1};
    if (!transfer->easy) {
        if (err)
            *err = transfer->early;
        return -1;
    }
    if (code == CURLE_OK && !transfer->head_whole)
        code = CURLE_PARTIAL_FILE;
    if (code != CURLE_OK)
        return read_failure(transfer, code, err);
    fill_answer(transfer, answer);
    if (answer->status < 400)
        return 0;
    struct error problem;
    wire_problem_read(answer->body, answer->status, &problem);
    if (err)
        *err = problem;
    return -1;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Which calls and which domains are none of our business: most of them. */
#include "common/base/mem.h"
#include "common/base/timestamp.h"
#include "plugins/hook/hook.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#define CHUNK 65536

bool hook_decides(const struct hook_call *call)
{
    static const char *const operations[] = {
        "prepare", /* may it start? */
        "start", /* the same, once VFs of <forward mode='hostdev'> networks are
                      chosen: libvirt does so after 'prepare' */
        "migrate", /* may it come here? */
        "release", /* its VFs are free to be looked at */
    };
    for (size_t i = 0; i < sizeof operations / sizeof *operations; i++) {
        if (strcmp(call->operation, operations[i]) == 0)
            return true;
    }
    return false;
}

/* One read, when there is something; false: the end, or *err. */
static bool read_some(int fd, int64_t deadline, char *to, size_t size,
                      size_t *got, struct error *err)
{
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    int64_t left = (deadline - timestamp_monotonic()) / TIMESTAMP_MS;
    int ready = poll(&wait, 1, left > 0 ? (int)left : 0);
    if (ready == 0) {
        error_fill(err, ERROR_TIMEOUT, 0, "", "its XML did not come in time");
        return false;
    }
    ssize_t length = ready < 0 ? -1 : read(fd, to, size);
    *got = length > 0 ? (size_t)length : 0;
    if (length >= 0)
        return length > 0;
    if (errno == EINTR)
        return true;
    error_fill_sys(err, errno, "its XML can't be read");
    return false;
}

void hook_xml_read(int fd, int64_t deadline, struct hook_xml *out)
{
    auto_str struct str text = {0};
    memset(out, 0, sizeof *out);
    size_t got = 0;
    for (;;) {
        str_reserve(&text, CHUNK);
        if (!read_some(fd, deadline, text.text + text.length, CHUNK, &got,
                       &out->err))
            break;
        text.length += got;
        if (text.length > DOMAIN_TEXT_MAX) {
            error_fill(&out->err, ERROR_TOO_LARGE, 0, "",
                       "its XML is longer than %d bytes", DOMAIN_TEXT_MAX);
            break;
        }
    }
    if (out->err.code != ERROR_NONE)
        return;
    text.text[text.length] = '\0';
    out->length = text.length;
    out->text = str_take(&text);
}

static bool has(const struct hook_xml *xml, const char *word)
{
    return memmem(xml->text, xml->length, word, strlen(word)) != NULL;
}

/* libvirt writes this text, so elements and attributes stand in it as they are
 * called; where a letter may hide in a character reference, yes. What else holds
 * one of the words is asked about in vain, no more. */
bool hook_concerns(const struct hook_call *call, const struct hook_xml *xml)
{
    if (xml->err.code != ERROR_NONE)
        return true;
    if (strcmp(call->operation, "start") == 0)
        return has(xml, "<interface type='hostdev'") ||
               has(xml, "<interface type='direct'");
    bool hardware = has(xml, "hostdev") || has(xml, "direct") || has(xml, "&#");
    bool named = strcmp(call->operation, "prepare") == 0 &&
                 (has(xml, DOMAIN_METADATA_NS) || has(xml, "ua-"));
    return hardware || named;
}

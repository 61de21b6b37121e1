/* SPDX-License-Identifier: Apache-2.0 */
/* Taking typed members: see value.h. What a text should have been is said in
 * the error, with an example. */
#include "api/wire/value.h"

#include "common/base/str.h"
#include "common/base/timestamp.h"

#include <stdio.h>
#include <string.h>

#define INTERNED_MAX 255

const char *wire_path(char out[WIRE_PATH_SIZE], const char *path,
                      const char *name)
{
    snprintf(out, WIRE_PATH_SIZE, "%s%s%s", path, *path ? "." : "", name);
    return out;
}

const char *wire_path_at(char out[WIRE_PATH_SIZE], const char *path,
                         const char *name, size_t index)
{
    const char *dot = *path && *name ? "." : "";
    snprintf(out, WIRE_PATH_SIZE, "%s%s%s[%zu]", path, dot, name, index);
    return out;
}

/* Refuse a text that did not parse. Returns false. */
static bool bad_text(struct json_reader *reader, const char *name,
                     const char *text, const char *expected)
{
    json_reader_fail(reader, name, "expected %s, got '%.80s'", expected, text);
    error_remedy(reader->err, "send %s", expected);
    return false;
}

bool wire_take_uuid(struct json_reader *reader, const char *name, bool required,
                    struct uuid *out)
{
    const char *text;
    if (!json_take_text(reader, name, required, &text))
        return false;
    return uuid_parse(text, out) ||
           bad_text(reader, name, text,
                    "a UUID such as 01890a5d-ac96-774b-bcce-b302099a8057");
}

bool wire_take_time(struct json_reader *reader, const char *name, int64_t *out)
{
    const char *text;
    int64_t ns;
    if (!json_take_text(reader, name, false, &text))
        return false;
    if (!timestamp_parse(text, &ns) || ns < 0)
        return bad_text(reader, name, text,
                        "a time in UTC such as 2026-11-20T11:32:05.123Z");
    *out = ns;
    return true;
}

bool wire_take_mac(struct json_reader *reader, const char *name, bool required,
                   struct mac *out)
{
    const char *text;
    if (!json_take_text(reader, name, required, &text))
        return false;
    return mac_parse(text, out) ||
           bad_text(reader, name, text, "a MAC such as 52:54:00:12:34:56");
}

bool wire_take_pci(struct json_reader *reader, const char *name,
                   struct pci_address *out)
{
    const char *text;
    if (!json_take_text(reader, name, false, &text))
        return false;
    return pci_parse(text, out) ||
           bad_text(reader, name, text, "a PCI address such as 0000:3b:0a.1");
}

bool wire_take_pf_key(struct json_reader *reader, const char *name,
                      bool required, struct pf_key *out)
{
    const char *text;
    if (!json_take_text(reader, name, required, &text))
        return false;
    return pf_key_parse(text, out) ||
           bad_text(reader, name, text,
                    "a PF key such as 0000:3b:00.0 or netdevsim1");
}

bool wire_take_hex16(struct json_reader *reader, const char *name,
                     uint16_t *out)
{
    const char *text;
    if (!json_take_text(reader, name, false, &text))
        return false;
    uint64_t id;
    if (strlen(text) != 4 || strspn(text, "0123456789abcdefABCDEF") != 4 ||
        !str_to_u64(text, 16, UINT16_MAX, &id))
        return bad_text(reader, name, text,
                        "an id of four hex digits such as 8086");
    *out = (uint16_t)id;
    return true;
}

bool wire_take_hash(struct json_reader *reader, const char *name,
                    uint8_t out[32])
{
    const char *text;
    if (!json_take_text(reader, name, false, &text))
        return false;
    if (strlen(text) != 64 || strspn(text, "0123456789abcdef") != 64) {
        /* Not quoted: what stands for a token stays out of logs. */
        json_reader_fail(reader, name, "expected 64 hex digits");
        return false;
    }
    for (size_t i = 0; i < 32; i++) {
        char pair[3] = {text[2 * i], text[2 * i + 1], '\0'};
        uint64_t byte = 0;
        str_to_u64(pair, 16, UINT8_MAX, &byte);
        out[i] = (uint8_t)byte;
    }
    return true;
}

bool wire_take_revision(struct json_reader *reader, const char *name,
                        bool required, struct revision *out)
{
    const char *text;
    if (!json_take_text(reader, name, required, &text))
        return false;
    return revision_parse(text, out) ||
           bad_text(reader, name, text, "EPOCH.REVISION such as \"3.17\"");
}

bool wire_take_on_off(struct json_reader *reader, const char *name, bool *out)
{
    static const char *const names[] = {"off", "on"};
    if (reader->failed)
        return false;
    const json_t *value = json_object_get(reader->object, name);
    uint8_t index;
    if (wire_take_choice(reader, name, false, names, 2, &index)) {
        *out = index == 1;
        return true;
    }
    if (reader->failed && json_is_boolean(value))
        error_remedy(reader->err, "write \"%s\" (in quotes) in place of %s",
                     json_is_true(value) ? "on" : "off",
                     json_is_true(value) ? "true" : "false");
    return false;
}

bool wire_take_interned(struct json_reader *reader, const char *name,
                        const char **out)
{
    const char *text;
    char cut[INTERNED_MAX + 1];
    if (!json_take_text(reader, name, false, &text))
        return false;
    if (!str_copy(cut, text)) {
        /* Not within a character: back to the start of the one cut. */
        size_t end = INTERNED_MAX;
        while (end && ((unsigned char)text[end] & 0xc0) == 0x80)
            end--;
        cut[end] = '\0';
    }
    *out = str_intern(cut);
    return true;
}

bool wire_take_choice(struct json_reader *reader, const char *name,
                      bool required, const char *const *names, size_t count,
                      uint8_t *out)
{
    if (reader->failed) /* what is told there stays */
        return false;
    const char *text = NULL;
    bool is_text = json_take_text(reader, name, required, &text);
    if (!is_text && !reader->failed)
        return false;
    auto_str struct str expected = {0};
    for (size_t i = 0; i < count; i++) {
        if (!names[i])
            continue;
        if (is_text && strcmp(names[i], text) == 0) {
            *out = (uint8_t)i;
            return true;
        }
        str_printf(&expected, "%s\"%s\"", expected.length ? ", " : "",
                   names[i]);
    }
    if (is_text)
        json_reader_fail(reader, name, "'%.80s' is not one of %s", text,
                         str_text(&expected));
    error_remedy(reader->err, "send one of %s", str_text(&expected));
    return false;
}

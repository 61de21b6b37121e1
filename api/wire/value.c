/* SPDX-License-Identifier: Apache-2.0 */
/* Writing small values: see value.h and wire.h. Taking them is in take.c. */
#include "api/wire/value.h"

#include "common/base/str.h"
#include "common/base/timestamp.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define TIMESTAMP_DECIMALS 9

json_t *wire_text(const char *text)
{
    struct json_out out = {0};
    json_out_text(&out, NULL, text);
    return out.tree;
}

json_t *wire_number(uint64_t number)
{
    return json_integer(number > INT64_MAX ? INT64_MAX : (json_int_t)number);
}

void wire_put_hex16(struct json_out *out, const char *name, uint16_t id)
{
    char text[8];
    *str_put_hex(text, id, 4) = '\0';
    json_out_text_or_null(out, name, id ? text : "");
}

json_t *wire_hex16(uint16_t id)
{
    struct json_out out = {0};
    wire_put_hex16(&out, NULL, id);
    return out.tree;
}

json_t *wire_hash(const uint8_t hash[32])
{
    char text[65];
    for (size_t i = 0; i < 32; i++)
        snprintf(text + 2 * i, sizeof text - 2 * i, "%02x", hash[i]);
    return json_string(text);
}

void wire_put_revision(struct json_out *out, const char *name,
                       const struct revision *revision)
{
    char text[REVISION_TEXT_SIZE];
    json_out_text(out, name, revision_format(revision, text));
}

json_t *wire_revision(const struct revision *revision)
{
    struct json_out out = {0};
    wire_put_revision(&out, NULL, revision);
    return out.tree;
}

void wire_put_pci(struct json_out *out, const char *name, bool has_address,
                  const struct pci_address *address)
{
    char text[PCI_TEXT_SIZE];
    json_out_text_or_null(out, name,
                          has_address ? pci_format(address, text) : "");
}

json_t *wire_pci(bool has_address, const struct pci_address *address)
{
    struct json_out out = {0};
    wire_put_pci(&out, NULL, has_address, address);
    return out.tree;
}

/* Below a millisecond it would be read back as 0, which is "unset". */
void wire_put_timestamp(struct json_out *out, const char *name, int64_t ns)
{
    char text[TIMESTAMP_TEXT_SIZE];
    json_out_text_or_null(out, name,
                          ns < TIMESTAMP_MS ? "" : timestamp_format(ns, text));
}

json_t *wire_timestamp(int64_t ns)
{
    struct json_out out = {0};
    wire_put_timestamp(&out, NULL, ns);
    return out.tree;
}

void wire_put_timestamp_exact(struct json_out *out, const char *name,
                              int64_t ns)
{
    if (ns < TIMESTAMP_MS || ns % TIMESTAMP_MS == 0) {
        wire_put_timestamp(out, name, ns);
        return;
    }
    char text[TIMESTAMP_TEXT_SIZE];
    char *dot = strchr(timestamp_format(ns, text), '.');
    if (dot) {
        char *end = str_put_digits(dot + 1, (uint64_t)(ns % TIMESTAMP_SECOND),
                                   TIMESTAMP_DECIMALS);
        *end++ = 'Z';
        *end = '\0';
    }
    json_out_text(out, name, text);
}

json_t *wire_timestamp_exact(int64_t ns)
{
    struct json_out out = {0};
    wire_put_timestamp_exact(&out, NULL, ns);
    return out.tree;
}

void wire_put_uuid(struct json_out *out, const char *name,
                   const struct uuid *uuid)
{
    char text[UUID_TEXT_SIZE];
    json_out_text_or_null(out, name,
                          uuid_is_zero(uuid) ? "" : uuid_format(uuid, text));
}

json_t *wire_uuid(const struct uuid *uuid)
{
    struct json_out out = {0};
    wire_put_uuid(&out, NULL, uuid);
    return out.tree;
}

void wire_set(json_t *object, const char *name, json_t *value)
{
    json_object_set_new_nocheck(object, name, value);
}

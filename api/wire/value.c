/* SPDX-License-Identifier: Apache-2.0 */
/* Writing small values: see value.h and wire.h. Taking them is in take.c. */
#include "api/wire/value.h"

#include "common/base/mem.h"
#include "common/base/timestamp.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

json_t *wire_text(const char *text)
{
    json_t *value = json_string(text ? text : "");
    if (value)
        return value;
    auto_free char *ascii = mem_strdup(text);
    for (char *at = ascii; *at; at++)
        if ((unsigned char)*at >= 128)
            *at = '?';
    return json_string(ascii);
}

json_t *wire_number(uint64_t number)
{
    return json_integer(number > INT64_MAX ? INT64_MAX : (json_int_t)number);
}

json_t *wire_hex16(uint16_t id)
{
    if (!id)
        return json_null();
    char text[8];
    snprintf(text, sizeof text, "%04x", id);
    return json_string(text);
}

json_t *wire_hash(const uint8_t hash[32])
{
    char text[65];
    for (size_t i = 0; i < 32; i++)
        snprintf(text + 2 * i, sizeof text - 2 * i, "%02x", hash[i]);
    return json_string(text);
}

json_t *wire_revision(const struct revision *revision)
{
    char text[REVISION_TEXT_SIZE];
    return json_string(revision_format(revision, text));
}

json_t *wire_pci(bool has_address, const struct pci_address *address)
{
    char text[PCI_TEXT_SIZE];
    return has_address ? json_string(pci_format(address, text)) : json_null();
}

json_t *wire_timestamp(int64_t ns)
{
    /* Below a millisecond it would be read back as 0, which is "unset". */
    if (ns < TIMESTAMP_MS)
        return json_null();
    char text[TIMESTAMP_TEXT_SIZE];
    return json_string(timestamp_format(ns, text));
}

json_t *wire_timestamp_exact(int64_t ns)
{
    if (ns < TIMESTAMP_MS || ns % TIMESTAMP_MS == 0)
        return wire_timestamp(ns);
    char text[TIMESTAMP_TEXT_SIZE];
    timestamp_format(ns, text);
    char *dot = strchr(text, '.');
    if (dot)
        snprintf(dot, sizeof text - (size_t)(dot - text), ".%09" PRId64 "Z",
                 ns % TIMESTAMP_SECOND);
    return json_string(text);
}

json_t *wire_uuid(const struct uuid *uuid)
{
    char text[UUID_TEXT_SIZE];
    return uuid_is_zero(uuid) ? json_null()
                              : json_string(uuid_format(uuid, text));
}

void wire_set(json_t *object, const char *name, json_t *value)
{
    json_object_set_new_nocheck(object, name, value);
}

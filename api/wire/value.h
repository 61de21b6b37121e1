/* SPDX-License-Identifier: Apache-2.0 */
/* Small values of the wire, for api/wire and for handlers that add members to
 * its objects: writing text and numbers that may be unset, taking typed
 * members, and the readers that one noun lends to another. All wire_take_* follow json_take_*: false and 'out' untouched if the
 * member is absent or null or on failure (reader->failed). */
#pragma once

#include "api/wire/wire.h"

/* ---- writing ------------------------------------------------------------- */

/* A string; bytes that are not UTF-8 (kernel names may hold any) become '?'.
 * NULL = "". */
json_t *wire_text(const char *text);
json_t *wire_number(uint64_t number);
json_t *wire_hex16(uint16_t id);           /* "8086"; 0 = null */
json_t *wire_hash(const uint8_t hash[32]); /* 64 hex digits */
json_t *wire_revision(const struct revision *revision);
json_t *wire_pci(bool has_address, const struct pci_address *address);
/* As wire_timestamp, with all nine decimals where there are any: what is
 * stored comes back the same. */
json_t *wire_timestamp_exact(int64_t ns);
/* Set a member; takes the reference. */
void wire_set(json_t *object, const char *name, json_t *value);

/* The same, member by member (json_out.h): one function per noun writes both
 * text and trees; 'name' NULL = the whole value or an item. */
void wire_put_uuid(struct json_out *out, const char *name,
                   const struct uuid *uuid);
void wire_put_hex16(struct json_out *out, const char *name, uint16_t id);
void wire_put_revision(struct json_out *out, const char *name,
                       const struct revision *revision);
void wire_put_pci(struct json_out *out, const char *name, bool has_address,
                  const struct pci_address *address);
void wire_put_timestamp(struct json_out *out, const char *name, int64_t ns);
void wire_put_timestamp_exact(struct json_out *out, const char *name,
                              int64_t ns);

/* ---- taking -------------------------------------------------------------- */

#define WIRE_PATH_SIZE 96
/* "PATH.NAME" and "PATH.NAME[INDEX]", cut if too long; both return 'out'. */
const char *wire_path(char out[WIRE_PATH_SIZE], const char *path,
                      const char *name);
const char *wire_path_at(char out[WIRE_PATH_SIZE], const char *path,
                         const char *name, size_t index);

bool wire_take_uuid(struct json_reader *reader, const char *name, bool required,
                    struct uuid *out);
bool wire_take_time(struct json_reader *reader, const char *name, int64_t *out);
bool wire_take_mac(struct json_reader *reader, const char *name, bool required,
                   struct mac *out);
bool wire_take_pci(struct json_reader *reader, const char *name,
                   struct pci_address *out);
bool wire_take_pf_key(struct json_reader *reader, const char *name,
                      bool required, struct pf_key *out);
bool wire_take_hex16(struct json_reader *reader, const char *name,
                     uint16_t *out);
bool wire_take_hash(struct json_reader *reader, const char *name,
                    uint8_t out[32]);
bool wire_take_revision(struct json_reader *reader, const char *name,
                        bool required, struct revision *out);
/* "on" or "off", as ip-link writes them. */
bool wire_take_on_off(struct json_reader *reader, const char *name, bool *out);
/* An interned text. These are for people (names of models, reasons), so a long
 * one does not make a report useless: it is cut after 255 bytes. */
bool wire_take_interned(struct json_reader *reader, const char *name,
                        const char **out);
/* One of 'names' (NULL entries match nothing): its index. */
bool wire_take_choice(struct json_reader *reader, const char *name,
                      bool required, const char *const *names, size_t count,
                      uint8_t *out);

/* One of the names of 'enum NOUN' (NOUN_name() below END) into a uint8_t. */
#define wire_take_enum(reader, name, required, noun, end, out)                 \
    __extension__({                                                            \
        const char *names_[end];                                               \
        for (unsigned i_ = 0; i_ < (unsigned)(end); i_++)                      \
            names_[i_] = noun##_name((enum noun)i_);                           \
        wire_take_choice(reader, name, required, names_, end, out);            \
    })

/* A whole number 0-MAX (or MIN-MAX) into a member of any integer type. */
#define wire_take_uint(reader, name, required, max, member)                    \
    do {                                                                       \
        uint64_t uint_ = 0;                                                    \
        if (json_take_u64(reader, name, required, 0, max, &uint_))             \
            (member) = (__typeof__(member))uint_;                              \
    } while (0)
#define wire_take_int(reader, name, required, min, max, member)                \
    do {                                                                       \
        int64_t int_ = 0;                                                      \
        if (json_take_i64(reader, name, required, min, max, &int_))            \
            (member) = (__typeof__(member))int_;                               \
    } while (0)
/* Text into a member array; too long = failure. */
#define wire_take_copy(reader, name, required, member)                         \
    json_take_copy(reader, name, required, member, sizeof(member))

/* ---- readers lent between nouns -------------------------------------------
 * 'path' prefixes fields in errors. Unknown members are ignored and counted
 * into *unknown (may be NULL). */
int wire_read_readback(const json_t *value, const char *path, size_t *unknown,
                       struct policy *out, struct error *err);
int wire_read_capabilities(const json_t *value, const char *path,
                           size_t *unknown, struct capabilities *out,
                           struct error *err);
struct inventory *wire_read_inventory(const json_t *value, const char *path,
                                      size_t *unknown, struct error *err);
int wire_read_claim(const json_t *value, const char *path, size_t *unknown,
                    struct claim *out, struct error *err);
int wire_read_condition(const json_t *value, const char *path, size_t *unknown,
                        struct condition *out, struct error *err);

/* SPDX-License-Identifier: Apache-2.0 */
/* Bearer tokens: 32 bytes of GnuTLS' key-grade random generator, of which only
 * the SHA-256 is ever stored. Threads: any. */
#pragma once

#include "common/base/error.h"

#include <stdint.h>

#define HTTP_TOKEN_SIZE (44 + 1)

/* SHA-256 (FIPS 180-4) of the token's text. */
void http_token_hash(const char *token, uint8_t hash[32]);
/* A new token: 43 characters of base64url (RFC 4648, section 5, no padding).
 * INTERNAL if the generator fails. */
int http_token_make(char out[HTTP_TOKEN_SIZE], struct error *err);

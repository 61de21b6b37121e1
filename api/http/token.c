/* SPDX-License-Identifier: Apache-2.0 */
/* Making and hashing bearer tokens: see token.h. */
#include "api/http/token.h"

#include "common/base/str.h"

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <stdlib.h>
#include <string.h>

#define TOKEN_BYTES 32

void http_token_hash(const char *token, uint8_t hash[32])
{
    /* Fails only where the library has no SHA-256 at all; a hash that matches
     * by accident would let anybody in. */
    if (gnutls_hash_fast(GNUTLS_DIG_SHA256, token, strlen(token), hash) < 0)
        abort();
}

int http_token_make(char out[HTTP_TOKEN_SIZE], struct error *err)
{
    uint8_t bytes[TOKEN_BYTES];
    int rc = gnutls_rnd(GNUTLS_RND_KEY, bytes, sizeof bytes);
    if (rc < 0)
        return error_set(err, ERROR_INTERNAL, "make a token: %s",
                         gnutls_strerror(rc));
    const gnutls_datum_t raw = {.data = bytes, .size = sizeof bytes};
    gnutls_datum_t text = {0};
    rc = gnutls_base64_encode2(&raw, &text);
    explicit_bzero(bytes, sizeof bytes);
    if (rc < 0)
        return error_set(err, ERROR_INTERNAL, "encode a token: %s",
                         gnutls_strerror(rc));
    size_t length = 0;
    for (; length < text.size && text.data[length] != '='; length++) {
        char c = (char)text.data[length];
        out[length] = c;
        if (c == '+')
            out[length] = '-';
        else if (c == '/')
            out[length] = '_';
    }
    out[length] = '\0';
    gnutls_free(text.data);
    return 0;
}

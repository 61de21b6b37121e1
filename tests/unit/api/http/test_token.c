/* SPDX-License-Identifier: Apache-2.0 */
/* Bearer tokens: their hash, their alphabet, that no two are alike. */
#include "api/http/token.h"
#include "tests/unit/check_main.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

START_TEST(the_hash_is_sha_256)
{
    /* FIPS 180-4's example of one block: "abc". */
    uint8_t hash[32];
    char text[65] = "";
    http_token_hash("abc", hash);
    for (size_t i = 0; i < 32; i++)
        sprintf(text + 2 * i, "%02x", hash[i]);
    ck_assert_str_eq(text, "ba7816bf8f01cfea414140de5dae2223"
                           "b00361a396177a9cb410ff61f20015ad");
}
END_TEST

START_TEST(a_token_is_43_characters_of_base64url)
{
    bool has_dash = false;
    bool has_underscore = false;
    for (int i = 0; i < 1000; i++) {
        char token[HTTP_TOKEN_SIZE];
        ck_assert_int_eq(http_token_make(token, NULL), 0);
        ck_assert_uint_eq(strlen(token), 43);
        ck_assert_uint_eq(strspn(token, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                        "abcdefghijklmnopqrstuvwxyz"
                                        "0123456789-_"),
                          43);
        has_dash |= strchr(token, '-') != NULL;
        has_underscore |= strchr(token, '_') != NULL;
    }
    ck_assert(has_dash && has_underscore);
}
END_TEST

START_TEST(no_two_tokens_are_alike)
{
    static char tokens[200][HTTP_TOKEN_SIZE];
    for (size_t i = 0; i < 200; i++) {
        ck_assert_int_eq(http_token_make(tokens[i], NULL), 0);
        for (size_t j = 0; j < i; j++)
            ck_assert_str_ne(tokens[i], tokens[j]);
    }
}
END_TEST

CHECK_MAIN("http tokens", the_hash_is_sha_256,
           a_token_is_43_characters_of_base64url, no_two_tokens_are_alike);

/* SPDX-License-Identifier: Apache-2.0 */
/* Settings: default, file, command line; refusals with file and line. */
#include "common/base/conf.h"
#include "tests/unit/check_main.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct settings {
    char *listen;
    uint64_t hosts;
    bool insecure;
};

static const struct conf_item items[] = {
    {"server", "listen", CONF_TEXT, offsetof(struct settings, listen), 0, 0,
     "127.0.0.1:8080", "ADDR:PORT", "where to listen"},
    {"limits", "max-hosts", CONF_U64, offsetof(struct settings, hosts), 1, 100,
     "10", "N", "most hosts"},
    {NULL, "insecure", CONF_BOOL, offsetof(struct settings, insecure), 0, 0,
     NULL, NULL, "plain HTTP"},
};
#define COUNT (sizeof items / sizeof *items)

static struct settings settings;
static struct error err;

static void setup(void)
{
    conf_init(items, COUNT, &settings);
    err = (struct error){0};
}

static int read_text(const char *text)
{
    char path[] = "/tmp/sriov-test-conf-XXXXXX";
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    int rc = conf_read_file(items, COUNT, &settings, path, &err);
    unlink(path);
    return rc;
}

/* Arguments after the program's name; NULL ends them. */
static int read_args(const char *const *words)
{
    static char copies[8][64];
    char *argv[9] = {copies[0]};
    int argc = 1;
    snprintf(copies[0], sizeof copies[0], "program");
    for (; words[argc - 1]; argc++) {
        snprintf(copies[argc], sizeof copies[argc], "%s", words[argc - 1]);
        argv[argc] = copies[argc];
    }
    return conf_read_args(items, COUNT, &settings, argc, argv, &err);
}
#define ARGS(...) read_args((const char *const[]){__VA_ARGS__, NULL})

static void done(void)
{
    conf_done(items, COUNT, &settings);
    ck_assert_ptr_null(settings.listen);
}

START_TEST(what_nobody_set_has_its_default)
{
    setup();
    ck_assert_str_eq(settings.listen, "127.0.0.1:8080");
    ck_assert_uint_eq(settings.hosts, 10);
    ck_assert(!settings.insecure);
    done();
}
END_TEST

START_TEST(the_command_line_wins_over_the_file)
{
    setup();
    ck_assert_msg(read_text("; a comment\n[server]\nlisten = [::1]:9 ; x\n"
                            "[limits]\nmax-hosts=20\n") == 0,
                  "%s", err.msg);
    ck_assert_str_eq(settings.listen, "[::1]:9");
    ck_assert_uint_eq(settings.hosts, 20);
    ck_assert_int_eq(ARGS("--max-hosts", "30", "--insecure", "rest"), 4);
    ck_assert_uint_eq(settings.hosts, 30);
    ck_assert(settings.insecure);
    ck_assert_str_eq(settings.listen, "[::1]:9");
    done();
}
END_TEST

START_TEST(options_are_read_in_both_forms_up_to_the_first_word)
{
    setup();
    ck_assert_int_eq(
        ARGS("--listen=a=b", "--insecure=no", "list", "--insecure"), 3);
    ck_assert_str_eq(settings.listen, "a=b");
    ck_assert(!settings.insecure);
    ck_assert_int_eq(ARGS("--insecure", "--", "--listen"), 3);
    ck_assert_int_eq(ARGS("--insecure"), 2);
    done();
}
END_TEST

START_TEST(wrong_options_are_named)
{
    setup();
    ck_assert_int_eq(ARGS("--nonsense"), -1);
    ck_assert_ptr_nonnull(strstr(err.msg, "--nonsense"));
    ck_assert_int_eq(ARGS("-x"), -1);
    ck_assert_int_eq(ARGS("--listen"), -1);
    ck_assert_ptr_nonnull(strstr(err.msg, "ADDR:PORT"));
    ck_assert_int_eq(ARGS("--max-hosts", "0"), -1);
    ck_assert_int_eq(err.code, ERROR_RANGE);
    ck_assert_int_eq(ARGS("--max-hosts", "101"), -1);
    ck_assert_int_eq(ARGS("--max-hosts=ten"), -1);
    ck_assert_ptr_nonnull(strstr(err.msg, "from 1 to 100"));
    ck_assert_int_eq(ARGS("--insecure=maybe"), -1);
    ck_assert_int_eq(ARGS("--max"), -1);
    ck_assert_uint_eq(settings.hosts, 10);
    done();
}
END_TEST

START_TEST(wrong_lines_are_named_with_file_and_line)
{
    static const struct {
        const char *text, *where, *what;
    } cases[] = {
        {"[server]\nport = 5\n", ":2", "unknown setting 'port'"},
        {"\n[sever]\nlisten = 5\n", ":3", "unknown section 'sever'"},
        {"[limits]\nmax-hosts = 1000\n", ":2", "from 1 to 100"},
        {"[limits]\nmax-hosts = 5\nmax-hosts = 6\n", ":3", "twice"},
        {"[server]\nlisten\n", ":2", "comment"},
        {"[server\nlisten = 5\n", ":1", "comment"},
        {"listen = 5\n", ":1", "before any [section]: 'listen'"},
        {"[limits]\nmax-hosts = x\nlisten\n", ":2", "'x'"},
        {"[server]\nlisten\n[limits]\nmax-hosts = x\n", ":2", "comment"},
        {"[limits]\nmax-hosts =\n", ":2", "whole number"},
        {"[limits]\nmax-hosts = -1\n", ":2", "'-1'"},
        {"[server]\ninsecure = yes\n", ":2", "unknown setting 'insecure'"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        setup();
        ck_assert_int_eq(read_text(cases[i].text), -1);
        ck_assert_msg(strstr(err.msg, cases[i].where), "%s", err.msg);
        ck_assert_msg(strstr(err.msg, cases[i].what), "%s", err.msg);
        ck_assert_ptr_nonnull(strstr(err.msg, "/tmp/sriov-test-conf-"));
        done();
    }
}
END_TEST

START_TEST(a_long_line_is_refused_and_not_cut_in_two)
{
    char text[1000] = "[server]\nlisten = ";
    size_t at = strlen(text);
    memset(text + at, 'x', 900);
    setup();
    ck_assert_int_eq(read_text(text), -1);
    ck_assert_ptr_nonnull(strstr(err.msg, ":2: the line is longer"));
    done();
}
END_TEST

START_TEST(a_file_that_is_not_there_is_an_error)
{
    setup();
    ck_assert_int_eq(
        conf_read_file(items, COUNT, &settings, "/nonexistent/conf", &err), -1);
    ck_assert_ptr_nonnull(strstr(err.msg, "/nonexistent/conf"));
    done();
}
END_TEST

CHECK_MAIN("conf", what_nobody_set_has_its_default,
           the_command_line_wins_over_the_file,
           options_are_read_in_both_forms_up_to_the_first_word,
           wrong_options_are_named, wrong_lines_are_named_with_file_and_line,
           a_long_line_is_refused_and_not_cut_in_two,
           a_file_that_is_not_there_is_an_error);

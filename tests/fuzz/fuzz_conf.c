/* SPDX-License-Identifier: Apache-2.0 */
/* Settings, as an operator writes them: the words of a command line, one a line,
 * then an empty line, then the text of a file. What is taken is within its
 * limits and means the same when it is written down and read again. */
#include "common/base/conf.h"

#include "tests/fuzz/fuzz.h"

#include <unistd.h>

#include <inttypes.h>
#include <sys/mman.h>

#define WORDS_MAX 16

struct settings {
    char *listen, *data, *config;
    uint64_t threads, connections;
    bool insecure_listen, help;
};

/* One of each kind, as the programs have them: with and without a section, a
 * preset, limits up to the largest. */
static const struct conf_item items[] = {
    {"scheduler", "listen", CONF_TEXT, offsetof(struct settings, listen), 0, 0,
     "127.0.0.1:8470", "ADDR:PORT", "address to serve"},
    {"scheduler", "data", CONF_TEXT, offsetof(struct settings, data), 0, 0,
     NULL, "DIR", "data folder"},
    {NULL, "config", CONF_TEXT, offsetof(struct settings, config), 0, 0, NULL,
     "FILE", "settings to read first"},
    {"http", "threads", CONF_U64, offsetof(struct settings, threads), 1, 64,
     "4", "N", "HTTP threads"},
    {"http", "connections", CONF_U64, offsetof(struct settings, connections), 0,
     UINT64_MAX, NULL, "N", "connections in all"},
    {"scheduler", "insecure-listen", CONF_BOOL,
     offsetof(struct settings, insecure_listen), 0, 0, NULL, NULL,
     "allow plain HTTP off loopback"},
    {NULL, "help", CONF_BOOL, offsetof(struct settings, help), 0, 0, NULL, NULL,
     "this text"},
};
#define ITEM_COUNT (sizeof items / sizeof *items)

static void check(bool fine, const char *what, const struct error *err)
{
    if (fine)
        return;
    fprintf(stderr, "%s: %s %s\n", what, err->field, err->msg);
    abort();
}

/* ---- the file ----------------------------------------------------------------- */

/* The path of a file with this text, always the same. */
static const char *make_file(const char *text, size_t size)
{
    static int fd = -1;
    static char path[32];
    if (fd < 0) {
        fd = memfd_create("settings", 0);
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    }
    if (fd < 0 || ftruncate(fd, 0) < 0 ||
        pwrite(fd, text, size, 0) != (ssize_t)size) {
        perror("the settings' file");
        abort();
    }
    return path;
}

/* Texts that a file can hold: a line is trimmed and ends at a comment. */
static bool is_plain(const char *text)
{
    size_t length = strlen(text);
    return length < 100 && !strpbrk(text, ";\r\n") &&
           (!length || (text[0] > ' ' && text[0] < 0x7f &&
                        text[length - 1] > ' ' && text[length - 1] < 0x7f));
}

/* Write everything that a file may hold. */
static char *written(const struct settings *settings)
{
    return mem_printf("[scheduler]\nlisten = %s\ndata = %s\n"
                      "insecure-listen = %s\n[http]\nthreads = %" PRIu64
                      "\nconnections = %" PRIu64 "\n",
                      settings->listen, settings->data ? settings->data : "",
                      settings->insecure_listen ? "yes" : "no",
                      settings->threads, settings->connections);
}

static void check_again(const struct settings *settings)
{
    struct settings back;
    struct error err = {0};
    if (!is_plain(settings->listen) ||
        (settings->data && !is_plain(settings->data)))
        return;
    auto_free char *first = written(settings);
    conf_init(items, ITEM_COUNT, &back);
    check(conf_read_file(items, ITEM_COUNT, &back,
                         make_file(first, strlen(first)), &err) == 0,
          first, &err);
    auto_free char *second = written(&back);
    conf_done(items, ITEM_COUNT, &back);
    fuzz_check_equal(first, second);
}

/* ---- one input ------------------------------------------------------------------ */

/* Cut 'text' into words up to the empty line; the rest is the file. */
static int take_words(char **text, char *words[WORDS_MAX + 2])
{
    static char program[] = "program";
    int count = 1;
    words[0] = program;
    while (*text && **text != '\n') {
        char *word = strsep(text, "\n");
        if (count <= WORDS_MAX)
            words[count++] = word;
    }
    words[count] = NULL;
    if (*text)
        ++*text;
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    auto_free char *text = mem_calloc(size + 1, 1);
    memcpy(text, data, size);
    char *rest = text;
    char *words[WORDS_MAX + 2];
    int count = take_words(&rest, words);
    /* The file may hold zero bytes, its length is not that of the text. */
    size_t file_size = rest ? size - (size_t)(rest - text) : 0;
    struct settings settings;
    struct error err = {0};
    conf_init(items, ITEM_COUNT, &settings);
    int file = conf_read_file(items, ITEM_COUNT, &settings,
                              make_file(rest ? rest : "", file_size), &err);
    if (file < 0)
        fuzz_check_error(&err);
    err = (struct error){0};
    int end = conf_read_args(items, ITEM_COUNT, &settings, count, words, &err);
    if (end < 0)
        fuzz_check_error(&err);
    else
        check(end >= 1 && end <= count, "the end of the options", &err);
    check(settings.threads >= 1 && settings.threads <= 64 && settings.listen,
          "a setting out of its limits", &err);
    check_again(&settings);
    conf_done(items, ITEM_COUNT, &settings);
    return 0;
}

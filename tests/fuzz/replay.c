/* SPDX-License-Identifier: Apache-2.0 */
/* What takes libFuzzer's place in ordinary builds: runs a fuzzer on each file of
 * the folders named, so that every build keeps the corpora true. */
#include "common/base/file.h"
#include "common/base/mem.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define INPUT_MAX (1u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t run_folder(const char *folder)
{
    size_t count = 0;
    DIR *dir = opendir(folder);
    if (!dir) {
        perror(folder);
        exit(EXIT_FAILURE);
    }
    const struct dirent *entry;
    while ((entry = readdir(dir))) {
        if (entry->d_name[0] == '.')
            continue;
        struct error err = {0};
        size_t size = 0;
        auto_free char *path = mem_printf("%s/%s", folder, entry->d_name);
        auto_free char *text =
            file_read(AT_FDCWD, path, INPUT_MAX, &size, &err);
        if (!text) {
            fprintf(stderr, "%s\n", err.msg);
            exit(EXIT_FAILURE);
        }
        /* Known if it does not return. */
        printf("%s\n", entry->d_name);
        fflush(stdout);
        LLVMFuzzerTestOneInput((const uint8_t *)text, size);
        count++;
    }
    closedir(dir);
    return count;
}

int main(int argc, char **argv)
{
    size_t count = 0;
    for (int i = 1; i < argc; i++)
        count += run_folder(argv[i]);
    printf("%zu inputs\n", count);
    return count ? EXIT_SUCCESS : EXIT_FAILURE;
}

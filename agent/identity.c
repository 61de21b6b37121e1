/* SPDX-License-Identifier: Apache-2.0 */
/* Which machine this is: see identity.h. Called once, at the start. */
#define LOG_MODULE "identity"
#include "agent/identity.h"

#include "common/base/file.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/timestamp.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

/* 0, 1 = the file is there but holds no id, -1 = it can't be read. */
static int read_id(const char *path, struct uuid *out, struct error *err)
{
    auto_free char *text = file_read(AT_FDCWD, path, 128, NULL, err);
    if (!text)
        return -1;
    text[strcspn(text, "\n")] = '\0';
    return uuid_parse(text, out) ? 0 : 1;
}

static int make_id(const char *path, struct uuid *out, struct error *err)
{
    struct rng rng;
    if (getrandom(&rng.state, sizeof rng.state, 0) != (ssize_t)sizeof rng.state)
        return error_set_sys(err, errno, "get random bytes");
    struct uuid id = uuid_make(timestamp_now(), &rng);
    char id_text[UUID_TEXT_SIZE], text[UUID_TEXT_SIZE + 1];
    snprintf(text, sizeof text, "%s\n", uuid_format(&id, id_text));
    if (file_replace(path, text, strlen(text), 0644, err) < 0)
        return -1;
    *out = id;
    return 0;
}

int identity_machine(const char *system_file, const char *state_dir,
                     struct uuid *out, struct error *err)
{
    struct error why = {0};
    int got = read_id(system_file, out, &why);
    if (got == 0)
        return 0;
    if (got < 0 && why.sys != ENOENT) {
        if (err)
            *err = why;
        return -1;
    }
    auto_free char *path = mem_printf("%s/machine-id", state_dir);
    got = read_id(path, out, &why);
    if (got < 0 && why.sys == ENOENT) {
        log_warning("'%s' holds no machine-id: this host's id is kept in '%s'",
                    system_file, path);
        return make_id(path, out, err);
    }
    if (got == 0)
        return 0;
    if (got < 0) {
        if (err)
            *err = why;
        return -1;
    }
    error_fill(err, ERROR_INVALID, 0, "state-dir", "'%s' holds no id", path);
    error_remedy(err, "delete it to make a new one; the host must then be "
                      "enrolled anew");
    return -1;
}

int identity_boot(struct uuid *out, struct error *err)
{
    static const char path[] = "/proc/sys/kernel/random/boot_id";
    int got = read_id(path, out, err);
    if (got > 0)
        return error_set(err, ERROR_INVALID, "'%s' holds no id", path);
    return got;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Puts this program where libvirt looks for hooks: a link, so that an update of
 * the program is one of the hook too. */
#include "common/base/file.h"
#include "common/base/mem.h"
#include "plugins/hook/hook.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* libvirt runs it as root, so nobody else may be able to change it. */
static int check_owner(const char *program, struct error *err)
{
    struct stat about;
    if (stat(program, &about) < 0)
        return error_set_sys(err, errno, "'%.150s'", program);
    if (about.st_uid == 0 && !(about.st_mode & (S_IWGRP | S_IWOTH)))
        return 0;
    error_fill(err, ERROR_PERMISSION, 0, "",
               "'%.150s' can be changed by others than root, and libvirt would "
               "run it as root",
               program);
    error_remedy(err, "install it first: cmake --install, as root");
    return -1;
}

int hook_install(const char *folder, struct error *err)
{
    char program[PATH_MAX];
    char present[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    if (length < 0)
        return error_set_sys(err, errno, "find this program");
    program[length] = '\0';
    if (check_owner(program, err) < 0 || file_make_dirs(folder, 0755, err) < 0)
        return -1;
    auto_free char *place = mem_printf("%s/sriov", folder);
    if (symlink(program, place) == 0)
        return 0;
    int problem = errno;
    length = readlink(place, present, sizeof present - 1);
    present[length < 0 ? 0 : length] = '\0';
    if (problem == EEXIST && strcmp(present, program) == 0)
        return 0;
    if (problem != EEXIST)
        return error_set_sys(err, problem, "make '%.150s'", place);
    error_fill(err, ERROR_CONFLICT, 0, "", "'%.150s' is there already%s%.120s",
               place, *present ? " and leads to " : "", present);
    error_remedy(err, "remove it, then install again");
    return -1;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* sriov-hook: libvirt's call on the command line, the domain's XML on standard
 * input; exit status 0 = go on, 1 = refuse, with one line on standard error that
 * libvirt hands to whoever asked it. Nothing is ever written to standard output
 * at a call, so libvirt takes the XML unchanged. */
#include "common/base/conf.h"
#include "common/base/mem.h"
#include "common/base/timestamp.h"
#include "plugins/hook/hook.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define CONF_FILE "/etc/sriov/hook.conf"
#define DEADLINE_MS 2000

static const struct conf_item items[] = {
    {"hook", "socket", CONF_TEXT, offsetof(struct hook_settings, socket), 0, 0,
     "/run/sriov-agent/hook.sock", "FILE", "the agent's socket"},
    {"hook", "guarded", CONF_TEXT, offsetof(struct hook_settings, guarded), 0,
     0, "/var/lib/sriov-agent/guarded", "FILE",
     "the agent's list of guarded devices"},
    {"hook", "deadline-ms", CONF_U64,
     offsetof(struct hook_settings, deadline_ms), 50, 60000, "2000", "MS",
     "how long libvirt waits for us"},
    {"hook", "root", CONF_TEXT, offsetof(struct hook_settings, root), 0, 0, "",
     "DIR", "for tests: read DIR/sys"},
};
#define ITEMS (sizeof items / sizeof *items)

static const char help[] =
    "usage: sriov-hook DOMAIN OPERATION SUBOPERATION EXTRA\n"
    "       sriov-hook --install [FOLDER]\n"
    "libvirt calls it: asks the SR-IOV agent whether a domain may start with "
    "the\n"
    "VFs that it has. See https://libvirt.org/hooks.html\n"
    "\n"
    "Options:\n"
    "  --install           make the link " HOOK_FOLDER "/sriov\n"
    "                      (or in FOLDER), where libvirt looks for it\n"
    "  --config FILE       settings instead of " CONF_FILE ";\n"
    "                      before DOMAIN\n"
    "  --help              this text\n"
    "  --version           the version\n"
    "\n"
    "settings, below [hook] in " CONF_FILE ":\n"
    "  socket = FILE       the agent's socket\n"
    "                      (default: /run/sriov-agent/hook.sock)\n"
    "  guarded = FILE      the agent's list of the devices that it guards\n"
    "                      (default: /var/lib/sriov-agent/guarded)\n"
    "  deadline-ms = MS    how long libvirt waits for an answer (default: "
    "2000)\n"
    "\n"
    "example:\n"
    "  sriov-hook --install\n";

static int load_settings(struct hook_settings *settings, const char *path,
                         bool must, struct error *err)
{
    struct stat about;
    if (stat(path, &about) < 0)
        return errno == ENOENT && !must
                   ? 0
                   : error_set_sys(err, errno, "settings '%.150s'", path);
    bool safe = (about.st_uid == 0 || about.st_uid == geteuid()) &&
                !(about.st_mode & (S_IWGRP | S_IWOTH));
    if (!safe)
        return error_set(err, ERROR_PERMISSION,
                         "'%.150s' can be changed by others than root", path);
    return conf_read_file(items, ITEMS, settings, path, err);
}

/* The agent's word, or our own where it gives none. */
static bool decide(const struct hook_settings *settings,
                   const struct hook_call *call, const struct hook_xml *xml,
                   const struct error *unset, int64_t begun, char *reason,
                   size_t size)
{
    struct error why = *unset;
    struct hook_answer answer;
    struct hook_question question = {.xml = xml->text,
                                     .xml_length = xml->length};
    str_copy(question.operation, call->operation);
    str_copy(question.suboperation, call->suboperation);
    str_copy(question.extra, call->extra);
    str_copy(question.domain, call->domain);
    int64_t deadline = begun + (int64_t)settings->deadline_ms * TIMESTAMP_MS;
    bool can_ask = why.code == ERROR_NONE && xml->err.code == ERROR_NONE;
    if (can_ask &&
        hook_ask(settings->socket, &question, deadline, &answer, &why) == 0) {
        if (answer.word != HOOK_WORD_UNKNOWN) {
            snprintf(reason, size, "%s", answer.reason);
            return answer.word == HOOK_WORD_GO_ON;
        }
        error_fill(&why, ERROR_INVALID, 0, "", "it can't tell: %s",
                   answer.reason);
    }
    if (why.code == ERROR_NONE)
        why = xml->err;
    return hook_alone(settings, call, xml, &why, reason, size);
}

/* One line, whatever the names in it are. */
static void tell(const char *reason)
{
    char line[900];
    snprintf(line, sizeof line, "%s", reason);
    for (char *c = line; *c; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = ' ';
    }
    fprintf(stderr, "sriov: %s\n", line);
}

static int on_call(const struct hook_call *call, const char *config)
{
    if (!hook_decides(call))
        return 0;
    int64_t begun = timestamp_monotonic();
    struct hook_xml xml;
    hook_xml_read(STDIN_FILENO, begun + DEADLINE_MS * TIMESTAMP_MS, &xml);
    if (!hook_concerns(call, &xml)) {
        free(xml.text);
        return 0;
    }
    struct hook_settings settings = {0};
    struct error unset = {0};
    char reason[900] = "";
    conf_init(items, ITEMS, &settings);
    load_settings(&settings, config ? config : CONF_FILE, config != NULL,
                  &unset);
    bool allow =
        decide(&settings, call, &xml, &unset, begun, reason, sizeof reason);
    if (!allow)
        tell(reason);
    conf_done(items, ITEMS, &settings);
    free(xml.text);
    return allow ? 0 : 1;
}

static int on_install(const char *folder)
{
    struct error err = {0};
    if (hook_install(folder, &err) == 0) {
        printf("installed as %s/sriov; libvirt sees it when it was restarted: "
               "systemctl restart libvirtd (virtqemud)\n",
               folder);
        return 0;
    }
    fprintf(stderr, "sriov-hook: %s\n", err.msg);
    if (*err.remedy)
        fprintf(stderr, "  remedy: %s\n", err.remedy);
    return 1;
}

int main(int argc, char **argv)
{
    /* A domain may have any name: four arguments are always a call. */
    bool configured = argc == 7 && strcmp(argv[1], "--config") == 0;
    if (argc == 5 || configured) {
        char **words = argv + argc - 4;
        const struct hook_call call = {words[0], words[1], words[2], words[3]};
        return on_call(&call, configured ? argv[2] : NULL);
    }
    if (argc >= 2 && argc <= 3 && strcmp(argv[1], "--install") == 0)
        return on_install(argc == 3 ? argv[2] : HOOK_FOLDER);
    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        printf("sriov-hook " SRIOV_VERSION "\n");
        return 0;
    }
    bool asked = argc == 2 && strcmp(argv[1], "--help") == 0;
    fputs(help, asked ? stdout : stderr);
    return asked ? 0 : 1;
}

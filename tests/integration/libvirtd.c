/* SPDX-License-Identifier: Apache-2.0 */
/* A libvirtd of the test's own: see libvirtd.h. The init of its PID namespace is
 * this process' child: it obeys one line after the other, and when the test ends,
 * however it ends, the lines end, so the init, so all in the namespace. */
#include "tests/integration/libvirtd.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define START_S 60

/* What Debian's libvirt-daemon-system would have set up: its user, its folders. */
static const char setup[] =
    "set -e\n"
    "mount --make-rprivate /\n"
    "mount -t proc proc /proc\n"
    "mount -t sysfs sysfs /sys\n"
    "for folder in /etc/libvirt /var/lib/libvirt /var/cache/libvirt "
    "/var/log/libvirt /run; do\n"
    "  mkdir -p $folder; mount -t tmpfs tmpfs $folder\n"
    "done\n"
    "for file in passwd group; do cp /etc/$file \"$1/$file\"; done\n"
    "grep -q ^libvirt-qemu: /etc/passwd ||\n"
    "  echo 'libvirt-qemu:x:64055:64055::/:/usr/sbin/nologin' >>\"$1/passwd\"\n"
    "for group in libvirt-qemu:64055 kvm:64056; do\n"
    "  grep -q \"^${group%:*}:\" /etc/group ||\n"
    "    echo \"${group%:*}:x:${group#*:}:\" >>\"$1/group\"\n"
    "done\n"
    "for file in passwd group; do mount --bind \"$1/$file\" /etc/$file; done\n"
    "cat >/etc/libvirt/qemu.conf <<EOF\n"
    "user = \"root\"\n"
    "group = \"root\"\n"
    "dynamic_ownership = 0\n"
    "security_driver = \"none\"\n"
    "cgroup_controllers = []\n"
    "namespaces = []\n"
    "stdio_handler = \"file\"\n"
    "EOF\n"
    "cat >/etc/libvirt/libvirtd.conf <<EOF\n"
    "unix_sock_dir = \"$1\"\n"
    "auth_unix_rw = \"none\"\n"
    "auth_unix_ro = \"none\"\n"
    "log_outputs = \"3:file:$1/log\"\n"
    "EOF\n"
    "ip link set lo up\n"
    "ip link add br0 type bridge\n"
    "ip link set br0 up\n";

/* ---- the init ------------------------------------------------------------------ */

static bool run(const char *const argv[])
{
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        sigset_t none;
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        execvp(argv[0], (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    return child > 0 && waitpid(child, &status, 0) == child && status == 0;
}

static pid_t start(void)
{
    pid_t child = fork();
    if (child != 0)
        return child;
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    setsid();
    execlp("libvirtd", "libvirtd", "-f", "/etc/libvirt/libvirtd.conf", NULL);
    _exit(127);
}

/* Until it is gone: what was killed has ended when this is answered. */
static void kill_libvirtd(pid_t child, int number)
{
    kill(child, number);
    if (number == SIGKILL)
        waitpid(child, NULL, 0);
}

static void kill_qemu(const char *name)
{
    char path[256];
    char text[32] = "";
    snprintf(path, sizeof path, "/run/libvirt/qemu/%s.pid", name);
    FILE *file = fopen(path, "re");
    if (!file)
        return;
    long pid = fgets(text, sizeof text, file) ? strtol(text, NULL, 10) : 0;
    if (pid > 1)
        kill((pid_t)pid, SIGKILL);
    fclose(file);
}

static void obey(char *line, pid_t *libvirtd)
{
    line[strcspn(line, "\n")] = '\0';
    if (strcmp(line, "start") == 0)
        *libvirtd = start();
    else if (strncmp(line, "qemu ", 5) == 0)
        kill_qemu(line + 5);
    else
        kill_libvirtd(*libvirtd, (int)strtol(line, NULL, 10));
}

/* A line at a time: who asks waits for the answer. */
__attribute__((noreturn)) static void be_init(int control, int answers)
{
    pid_t libvirtd = 0;
    char line[128];
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    sigprocmask(SIG_BLOCK, &child, NULL);
    struct pollfd fds[] = {
        {.fd = control, .events = POLLIN},
        {.fd = signalfd(-1, &child, SFD_CLOEXEC), .events = POLLIN}};
    for (;;) {
        poll(fds, 2, -1);
        struct signalfd_siginfo info;
        if (fds[1].revents && read(fds[1].fd, &info, sizeof info) > 0)
            while (waitpid(-1, NULL, WNOHANG) > 0)
                ;
        if (!fds[0].revents)
            continue;
        ssize_t length = read(control, line, sizeof line - 1);
        if (length <= 0)
            _exit(0);
        line[length] = '\0';
        obey(line, &libvirtd);
        if (write(answers, "\n", 1) != 1)
            _exit(0);
    }
}

/* In the new namespaces; the child is PID 1 of its own. */
static void become(const char *folder, int control, int answers)
{
    const char *const argv[] = {"sh", "-c", setup, "sh", folder, NULL};
    if (unshare(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWPID) < 0)
        _exit(errno == EPERM ? 77 : 1);
    pid_t init = fork();
    if (init != 0) {
        int status = 1;
        close(control);
        while (waitpid(init, &status, 0) < 0 && errno == EINTR)
            ;
        _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
    }
    if (!run(argv) || write(answers, "\n", 1) != 1)
        _exit(1);
    be_init(control, answers);
}

/* ---- the test's side ------------------------------------------------------------- */

static void ask(struct own_libvirtd *own, const char *line)
{
    char answer;
    size_t length = strlen(line);
    if (write(own->control, line, length) != (ssize_t)length ||
        read(own->answers, &answer, 1) != 1) {
        fprintf(stderr, "the libvirtd of the test is gone\n");
        abort();
    }
}

void own_libvirtd_start(struct own_libvirtd *own)
{
    ask(own, "start\n");
}

void own_libvirtd_signal(struct own_libvirtd *own, int number)
{
    char line[16];
    snprintf(line, sizeof line, "%d\n", number);
    ask(own, line);
}

void own_libvirtd_kill_qemu(struct own_libvirtd *own, const char *name)
{
    char line[128];
    snprintf(line, sizeof line, "qemu %s\n", name);
    ask(own, line);
}

static bool listens(const char *folder)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s/libvirt-sock",
             folder);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool yes =
        connect(fd, (const struct sockaddr *)&address, sizeof address) == 0;
    close(fd);
    return yes;
}

int own_libvirtd_begin(struct own_libvirtd *own)
{
    int control[2], answers[2], status = 0;
    char answer;
    *own = (struct own_libvirtd){.folder = "/tmp/sriov-libvirtd-XXXXXX"};
    if (!mkdtemp(own->folder) || pipe2(control, O_CLOEXEC) < 0 ||
        pipe2(answers, O_CLOEXEC) < 0) {
        perror("a folder and pipes for libvirtd");
        return 1;
    }
    snprintf(own->uri, sizeof own->uri,
             "qemu+unix:///system?socket=%s/libvirt-sock", own->folder);
    own->init = fork();
    if (own->init == 0) {
        close(control[1]);
        close(answers[0]);
        become(own->folder, control[0], answers[1]);
    }
    close(control[0]);
    close(answers[1]);
    own->control = control[1];
    own->answers = answers[0];
    if (own->init < 0 || read(own->answers, &answer, 1) != 1) {
        waitpid(own->init, &status, 0);
        status = WIFEXITED(status) ? WEXITSTATUS(status) : 1;
        fprintf(stderr, "no namespaces for libvirtd (%d)\n", status);
        return status ? status : 1;
    }
    own_libvirtd_start(own);
    for (int i = 0; i < START_S * 10; i++) {
        if (listens(own->folder))
            return 0;
        usleep(100000);
    }
    fprintf(stderr, "libvirtd does not start; its log is %s/log\n",
            own->folder);
    return 1;
}

void own_libvirtd_end(struct own_libvirtd *own)
{
    const char *const argv[] = {"rm", "-rf", own->folder, NULL};
    close(own->control);
    close(own->answers);
    waitpid(own->init, NULL, 0);
    run(argv);
}

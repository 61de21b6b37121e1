/* SPDX-License-Identifier: Apache-2.0 */
/* The hook's socket with the engine on a simulated host behind it, asked by the
 * real sriov-hook ($SRIOV_BIN), and by peers that misbehave. */
#include "agent/hook.h"
#include "common/base/file.h"
#include "common/base/str.h"
#include "common/base/timestamp.h"
#include "common/domain/hook_frame.h"
#include "tests/unit/agent/world.c"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

static const char *const models[] = {"intel-82576", NULL};
static struct world world;
static struct hook_server *server;
static char folder[64];
static char said[1024];

static char *path(const char *name)
{
    return mem_printf("%s/%s", folder, name);
}

static void write_file(const char *name, const char *text)
{
    struct error err = {0};
    auto_free char *where = path(name);
    ck_assert_msg(file_replace(where, text, strlen(text), 0600, &err) == 0,
                  "%s", err.msg);
}

/* As the loop of the agent does. */
static void step(void)
{
    hook_server_guard(server, world.now);
    agent_step(world.agent, world.now);
    hook_server_step(server, world.now);
}

static void start_server(bool adopt)
{
    auto_free char *socket_path = path("run/hook.sock");
    auto_free char *guarded = path("guarded");
    const struct hook_config config = {.agent = world.agent,
                                       .path = socket_path,
                                       .guarded = guarded,
                                       .adopt = adopt};
    server = hook_server_new(&config);
    step(); /* it listens, and the list is there */
}

static void setup(void)
{
    str_copy(folder, "/tmp/sriov-hook-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    auto_free char *conf =
        mem_printf("[hook]\nsocket = %s/run/hook.sock\nguarded = %s/guarded\n"
                   "root = %s/none\ndeadline-ms = 900\n",
                   folder, folder, folder);
    write_file("hook.conf", conf);
    world_open(&world, models);
    world.skip_probing = true;
    world_start_agent(&world);
    world_apply(&world);
    start_server(false);
}

static void teardown(void)
{
    static const char *const names[] = {"run/hook.sock", "run", "guarded",
                                        "hook.conf", ""};
    hook_server_free(server);
    server = NULL;
    world_close(&world);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        auto_free char *where = path(names[i]);
        remove(where);
    }
}

/* Until the peer's socket or the program has something, time goes on. */
static void pass_time(void)
{
    int64_t real = timestamp_monotonic();
    struct pollfd wait = {.fd = hook_server_fd(server), .events = POLLIN};
    poll(&wait, 1, 5);
    world.now += timestamp_monotonic() - real;
}

/* ---- the program ------------------------------------------------------------------ */

static char *domain_xml(const struct pci_address *address, const char *alias)
{
    return mem_printf(
        "<domain type='qemu'>\n  <name>g1</name>\n"
        "  <uuid>0192f0a1-7c1e-7cc3-98c4-dc0c0c07398f</uuid>\n"
        "  <memory unit='KiB'>98304</memory>\n  <vcpu>1</vcpu>\n"
        "  <os><type>hvm</type></os>\n  <devices>\n"
        "    <hostdev mode='subsystem' type='pci' managed='yes'>\n"
        "      <source><address domain='0x%04x' bus='0x%02x' slot='0x%02x' "
        "function='0x%x'/></source>\n      %s\n    </hostdev>\n"
        "  </devices>\n</domain>\n",
        address->domain, address->bus, address->device, address->function,
        alias);
}

struct program {
    pid_t pid;
    int error_fd;
};

static struct program start_hook(const char *operation, const char *xml)
{
    const char *bin = getenv("SRIOV_BIN");
    auto_free char *name =
        mem_printf("%s/sriov-hook", bin ? bin : "build/release/bin");
    auto_free char *conf = path("hook.conf");
    int in[2], error[2];
    ck_assert_int_eq(pipe2(in, O_CLOEXEC), 0);
    ck_assert_int_eq(pipe2(error, O_CLOEXEC), 0);
    char *const words[] = {name,
                           (char[]){"--config"},
                           conf,
                           (char[]){"g1"},
                           mem_strdup(operation),
                           (char[]){"begin"},
                           (char[]){"-"},
                           NULL};
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in[0], 0);
    posix_spawn_file_actions_adddup2(&actions, error[1], 2);
    struct program program = {.error_fd = error[0]};
    int status =
        posix_spawn(&program.pid, name, &actions, NULL, words, environ);
    ck_assert_msg(status == 0, "%s: %s", name, strerror(status));
    posix_spawn_file_actions_destroy(&actions);
    free(words[4]);
    close(in[0]);
    close(error[1]);
    ck_assert_int_eq(write(in[1], xml, strlen(xml)), (ssize_t)strlen(xml));
    close(in[1]);
    return program;
}

/* Its exit status; 'said' gets what it wrote. */
static int end_hook(struct program program)
{
    int status = 0;
    while (waitpid(program.pid, &status, WNOHANG) == 0) {
        if (server)
            step();
        if (server)
            pass_time();
    }
    ssize_t length = read(program.error_fd, said, sizeof said - 1);
    said[length > 0 ? length : 0] = '\0';
    close(program.error_fd);
    ck_assert(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static int hook(const char *operation, const struct pci_address *address)
{
    auto_free char *xml = domain_xml(address, "");
    return end_hook(start_hook(operation, xml));
}

#define expect_words(words)                                                    \
    ck_assert_msg(strstr(said, words), "'%s' lacks '%s'", said, words)

static struct pci_address vf_address(uint16_t vf)
{
    auto_inventory struct inventory *inventory = agent_inventory(world.agent);
    const struct vf *found = world_vf(&world, inventory, 0, vf);
    ck_assert(found->has_address);
    return found->address;
}

START_TEST(an_unclaimed_vf_is_refused_when_no_document_claims_it_in_time)
{
    setup();
    struct pci_address vf = vf_address(0), other = vf;
    ck_assert_int_eq(hook("prepare", &vf), 1);
    expect_words("sriov: ");
    expect_words("claimed for no VM");
    ck_assert_ptr_eq(strchr(said, '\n'), said + strlen(said) - 1);
    other.bus = 0xee;
    ck_assert_int_eq(hook("prepare", &other), 0);
    ck_assert_str_eq(said, "");
    hook_server_free(server);
    start_server(true);
    ck_assert_int_eq(hook("prepare", &vf), 0);
    teardown();
}
END_TEST

START_TEST(a_claim_that_comes_while_it_is_asked_is_applied_first)
{
    setup();
    struct error err = {0};
    struct pci_address vf = vf_address(1);
    auto_free char *xml = domain_xml(&vf, "");
    struct program program = start_hook("prepare", xml);
    for (int i = 0; i < 20; i++) {
        step();
        pass_time();
    }
    struct desired_port *port = world_want(&world, 1, 0, 1);
    port->policy.set |= POLICY_BIT(POLICY_VLAN);
    port->policy.vlan = 100;
    ck_assert_int_eq(world_send(&world, &err), 0);
    ck_assert_int_eq(end_hook(program), 0);
    struct policy kernel = world_kernel(&world, 0, 1);
    ck_assert_uint_eq(kernel.vlan, 100);
    ck_assert_int_eq(mac_compare(&kernel.mac, &port->policy.mac), 0);
    teardown();
}
END_TEST

START_TEST(what_somebody_changed_unseen_is_put_back_before_the_guest_runs)
{
    setup();
    struct desired_port *port = world_want(&world, 1, 0, 1);
    port->policy.set |= POLICY_BIT(POLICY_VLAN);
    port->policy.vlan = 100;
    world_apply(&world);
    struct pci_address vf = vf_address(1);
    const struct policy other = {.set = POLICY_BIT(POLICY_VLAN), .vlan = 7};
    ck_assert_int_eq(sim_host_vf_set_policy(world.host, 0, 1, &other,
                                            POLICY_BIT(POLICY_VLAN)),
                     0);
    ck_assert_uint_eq(world_kernel(&world, 0, 1).vlan, 7);
    ck_assert_int_eq(hook("prepare", &vf), 0);
    ck_assert_uint_eq(world_kernel(&world, 0, 1).vlan, 100);
    teardown();
}
END_TEST

START_TEST(a_refused_policy_refuses_the_start_in_its_words)
{
    setup();
    world.fault_errno = EOPNOTSUPP;
    world.fault_step = SIM_STEP_VF_WRITE;
    world.fault_fields = POLICY_BIT(POLICY_VLAN);
    world.fault_times = UINT_MAX;
    struct desired_port *port = world_want(&world, 1, 0, 1);
    port->policy.set |= POLICY_BIT(POLICY_VLAN);
    port->policy.vlan = 100;
    world_apply(&world);
    struct pci_address vf = vf_address(1);
    ck_assert_int_eq(hook("prepare", &vf), 1);
    expect_words("vlan");
    teardown();
}
END_TEST

START_TEST(without_the_agent_what_it_guarded_stays_closed)
{
    setup();
    struct pci_address vf = vf_address(3), other = vf;
    other.bus = 0xee;
    step();
    hook_server_free(server);
    server = NULL;
    ck_assert_int_eq(hook("prepare", &vf), 1);
    expect_words("systemctl start sriov-agent");
    ck_assert_int_eq(hook("migrate", &vf), 1);
    ck_assert_int_eq(hook("release", &vf), 0);
    ck_assert_int_eq(hook("prepare", &other), 0);
    /* The next life knows it before it hears the scheduler. */
    world_crash_agent(&world);
    world_start_agent(&world);
    start_server(false);
    ck_assert_int_eq(hook("prepare", &vf), 1);
    expect_words("has not heard the scheduler");
    ck_assert_int_eq(hook("prepare", &other), 0);
    teardown();
}
END_TEST

START_TEST(a_pf_that_is_not_allowed_any_more_is_open)
{
    setup();
    struct pci_address vf = vf_address(3);
    step();
    world.forbidden = true;
    world_apply(&world);
    step();
    ck_assert_int_eq(hook("prepare", &vf), 0);
    hook_server_free(server);
    server = NULL;
    ck_assert_int_eq(hook("prepare", &vf), 0);
    teardown();
}
END_TEST

START_TEST(migrations_with_our_vfs_are_refused_with_what_to_do)
{
    setup();
    struct pci_address vf = vf_address(3);
    ck_assert_int_eq(hook("migrate", &vf), 1);
    expect_words("sriov-admin port decelerate");
    teardown();
}
END_TEST

/* ---- peers that misbehave ------------------------------------------------------------ */

static int connect_to_server(void)
{
    auto_free char *where = path("run/hook.sock");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", where);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(fd, 0);
    if (connect(fd, (const struct sockaddr *)&address, sizeof address) < 0) {
        close(fd);
        return -1;
    }
    return fd;
}

/* The answer to these bytes; false: the connection ended without one. */
static bool talk(const char *data, size_t length, struct hook_answer *answer)
{
    char text[HOOK_ANSWER_MAX];
    struct error err = {0};
    int fd = connect_to_server();
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(send(fd, data, length, MSG_NOSIGNAL), (ssize_t)length);
    shutdown(fd, SHUT_WR);
    for (int i = 0; i < 3; i++)
        step();
    ssize_t got = recv(fd, text, sizeof text, MSG_DONTWAIT);
    close(fd);
    return got > 0 && hook_answer_read(text, (size_t)got, answer, &err) == 0;
}

START_TEST(what_is_no_question_is_refused_or_ends)
{
    setup();
    step();
    struct hook_answer answer = {.word = HOOK_WORD_GO_ON};
    ck_assert(talk("GET / HTTP/1.1\r\n", 16, &answer));
    ck_assert_uint_eq(answer.word, HOOK_WORD_UNKNOWN);
    ck_assert(!talk("", 0, &answer));
    ck_assert(!talk("SVHK\0\1", 6, &answer));
    ck_assert(!talk("SVHK\0\1\0\1\0\0\0\x40half", 16, &answer));
    ck_assert(talk("SVHK\0\1\0\1\x7f\0\0\0", 12, &answer));
    ck_assert_ptr_nonnull(strstr(answer.reason, "at most"));
    ck_assert(talk("SVHK\0\2\0\2\0\0\0\0", 12, &answer));
    ck_assert_ptr_nonnull(strstr(answer.reason, "one release"));
    const struct hook_question broken = {
        .operation = "prepare", .xml = "<domain", .xml_length = 7};
    auto_str struct str text = {0};
    hook_question_write(&broken, &text);
    ck_assert(talk(text.text, text.length, &answer));
    ck_assert_uint_eq(answer.word, HOOK_WORD_UNKNOWN);
    ck_assert_ptr_nonnull(strstr(answer.reason, "XML"));
    teardown();
}
END_TEST

START_TEST(peers_that_never_finish_are_let_go_and_others_answered)
{
    setup();
    struct pci_address vf = vf_address(3);
    vf.bus = 0xee;
    int idle[HOOK_PEERS_MAX + 8];
    step();
    for (size_t i = 0; i < sizeof idle / sizeof *idle; i++) {
        idle[i] = connect_to_server();
        ck_assert_int_ge(idle[i], 0);
        ck_assert_int_eq(send(idle[i], "SVH", 3, MSG_NOSIGNAL), 3);
        step();
    }
    world.now += HOOK_READ_NS + 1;
    for (int i = 0; i < 3; i++)
        step();
    char byte;
    ck_assert_int_eq(recv(idle[0], &byte, 1, MSG_DONTWAIT), 0);
    ck_assert_int_eq(hook("prepare", &vf), 0);
    for (size_t i = 0; i < sizeof idle / sizeof *idle; i++)
        close(idle[i]);
    teardown();
}
END_TEST

START_TEST(a_second_server_waits_until_the_first_is_gone)
{
    setup();
    step();
    struct hook_server *first = server;
    start_server(false);
    step();
    int fd = connect_to_server();
    ck_assert_int_ge(fd, 0);
    close(fd);
    hook_server_free(first);
    ck_assert_int_eq(connect_to_server(), -1);
    world.now += 10 * TIMESTAMP_SECOND;
    step();
    fd = connect_to_server();
    ck_assert_int_ge(fd, 0);
    close(fd);
    teardown();
}
END_TEST

START_TEST(others_than_root_can_not_ask)
{
    setup();
    step();
    if (geteuid() == 0) {
        pid_t child = fork();
        ck_assert_int_ge(child, 0);
        if (child == 0) {
            int status = setuid(65534);
            _exit(status < 0 || connect_to_server() >= 0);
        }
        int status = 0;
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert_int_eq(status, 0);
    }
    auto_free char *where = path("run/hook.sock");
    struct stat about;
    ck_assert_int_eq(stat(where, &about), 0);
    ck_assert_uint_eq(about.st_mode & 0777, 0600);
    teardown();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("agent: the hook's socket");
    TCase *tcase = tcase_create("hook");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(
        tcase, an_unclaimed_vf_is_refused_when_no_document_claims_it_in_time);
    tcase_add_test(tcase,
                   a_claim_that_comes_while_it_is_asked_is_applied_first);
    tcase_add_test(
        tcase, what_somebody_changed_unseen_is_put_back_before_the_guest_runs);
    tcase_add_test(tcase, a_refused_policy_refuses_the_start_in_its_words);
    tcase_add_test(tcase, without_the_agent_what_it_guarded_stays_closed);
    tcase_add_test(tcase, a_pf_that_is_not_allowed_any_more_is_open);
    tcase_add_test(tcase, migrations_with_our_vfs_are_refused_with_what_to_do);
    tcase_add_test(tcase, what_is_no_question_is_refused_or_ends);
    tcase_add_test(tcase,
                   peers_that_never_finish_are_let_go_and_others_answered);
    tcase_add_test(tcase, a_second_server_waits_until_the_first_is_gone);
    tcase_add_test(tcase, others_than_root_can_not_ask);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}

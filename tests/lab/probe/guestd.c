// SPDX-License-Identifier: Apache-2.0
// guestd MODE: the guest's helper, started by guest/init. Notes which of the third point's echoes came in (the kernel
// answers them), tells its clock and its interfaces, sends every few ms while asked to. Says nothing unasked. MODE is told on.
// One thread and one poll: the guest has one slow processor.
#include "seen.h"
#include "wire.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <linux/icmp.h>
#include <netinet/ip.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

static const char *mode;
static struct seen echoes;
static uint32_t echo_run;
static int udp, icmp, timer;
static struct sockaddr_in data_to;
static uint32_t data_run, data_seq;
static uint64_t data_until_ns;

static void need(int result, const char *what)
{
    if (result < 0) {
        fprintf(stderr, "guestd: %s: %s\n", what, strerror(errno));
        exit(1);
    }
}

static void open_all(void)
{
    static const int room =
        4
        << 20; // a guest that stands still for seconds loses nothing that had come in
    struct sockaddr_in any = {.sin_family = AF_INET,
                              .sin_port = htons(GUEST_PORT)};
    uint32_t filter = ~(1U << ICMP_ECHO);
    need(udp = socket(AF_INET, SOCK_DGRAM, 0), "UDP socket");
    need(bind(udp, (struct sockaddr *)&any, sizeof any), "bind");
    need(icmp = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP), "ICMP socket");
    need(setsockopt(icmp, SOL_RAW, ICMP_FILTER, &filter, sizeof filter),
         "ICMP filter");
    need(setsockopt(icmp, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room),
         "receive buffer");
    need(timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK), "timer");
}

// --- interfaces ---------------------------------------------------------------------------------------------------------

// One line of a file below /sys/class/net/NAME, or the last part of where a link leads; "" if there is none.
static void net_file(const char *name, const char *file, char *text,
                     size_t size)
{
    char path[300];
    snprintf(path, sizeof path, "/sys/class/net/%s/%s", name, file);
    text[0] = 0;
    FILE *f = fopen(path, "r");
    if (f && !fgets(text, (int)size, f))
        text[0] = 0;
    if (f)
        fclose(f);
    text[strcspn(text, "\n")] = 0;
}
static void net_link(const char *name, const char *link, char *text,
                     size_t size)
{
    char path[300], target[300];
    snprintf(path, sizeof path, "/sys/class/net/%s/%s", name, link);
    ssize_t length = readlink(path, target, sizeof target - 1);
    target[length > 0 ? length : 0] = 0;
    const char *slash = strrchr(target, '/');
    snprintf(text, size, "%s", slash ? slash + 1 : target);
}

// The PCI address of a device; "" if it has none. A virtio device's netdev is one level below.
static void net_pci(const char *name, char *text, size_t size)
{
    char path[300], real[PATH_MAX];
    snprintf(path, sizeof path, "/sys/class/net/%s/device", name);
    text[0] = 0;
    if (!realpath(path, real))
        return;
    char *last = strrchr(real, '/');
    if (strncmp(last, "/virtio", 7) == 0) {
        *last = 0;
        last = strrchr(real, '/');
    }
    snprintf(text, size, "%s", last + 1);
}

static void append(char *text, const char *format, ...)
{
    size_t used = strlen(text);
    va_list list;
    va_start(list, format);
    vsnprintf(text + used, STATE_MAX - used, format, list);
    va_end(list);
}

static void add_interface(char *text, const char *name, bool first)
{
    static const char *const words[] = {"address", "operstate"};
    static const char *const numbers[] = {"carrier", "statistics/rx_packets",
                                          "statistics/tx_packets"};
    static const char *const links[][2] = {{"driver", "device/driver"},
                                           {"master", "master"}};
    char value[128];
    append(text, "%s{\"name\":\"%s\"", first ? "" : ",", name);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        net_file(name, words[i], value, sizeof value);
        append(text, ",\"%s\":\"%s\"", words[i], value);
    }
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        const char *slash = strchr(numbers[i], '/');
        net_file(name, numbers[i], value, sizeof value);
        append(text, ",\"%s\":%s", slash ? slash + 1 : numbers[i],
               value[0] ? value : "null");
    }
    for (size_t i = 0; i < sizeof links / sizeof *links; i++) {
        net_link(name, links[i][1], value, sizeof value);
        append(text, ",\"%s\":\"%s\"", links[i][0], value);
    }
    net_pci(name, value, sizeof value);
    append(text, ",\"pci\":\"%s\"}", value);
}

// The one that sends: a bond's active member; with net_failover the primary (an own driver, not virtio) as soon as it has carrier.
static void find_path(char *path, size_t size)
{
    char master[64], driver[64], carrier[16];
    net_file("bond0", "bonding/active_slave", path, size);
    DIR *dir = path[0] ? NULL : opendir("/sys/class/net");
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        net_link(entry->d_name, "master", master, sizeof master);
        net_link(entry->d_name, "device/driver", driver, sizeof driver);
        net_file(entry->d_name, "carrier", carrier, sizeof carrier);
        if (master[0] && carrier[0] == '1' &&
            (!path[0] || strcmp(driver, "virtio_net") != 0))
            snprintf(path, size, "%s", entry->d_name);
    }
    if (dir)
        closedir(dir);
}

static size_t state(char *text)
{
    char path[64], driver[64], pci[64];
    find_path(path, sizeof path);
    net_link(path, "device/driver", driver, sizeof driver);
    net_pci(path, pci, sizeof pci);
    text[0] = 0;
    append(text,
           "{\"mode\":\"%s\",\"mono_ms\":%llu,\"path\":\"%s\",\"path_driver\":"
           "\"%s\",\"path_pci\":\"%s\",\"interfaces\":[",
           mode, (unsigned long long)(clock_ns(CLOCK_MONOTONIC) / 1000000),
           path, path[0] ? driver : "", path[0] ? pci : "");
    DIR *dir = opendir("/sys/class/net");
    bool first = true;
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        if (entry->d_name[0] == '.' || strcmp(entry->d_name, "lo") == 0 ||
            strcmp(entry->d_name, "bonding_masters") == 0)
            continue;
        add_interface(text, entry->d_name, first);
        first = false;
    }
    if (dir)
        closedir(dir);
    append(text, "]}\n");
    return strlen(text);
}

// --- questions ----------------------------------------------------------------------------------------------------------

static void set_timer(uint32_t period_ms)
{
    struct timespec every = {.tv_sec = period_ms / 1000,
                             .tv_nsec = (long)(period_ms % 1000) * 1000000};
    struct itimerspec times = {.it_interval = every, .it_value = every};
    timerfd_settime(timer, 0, &times, NULL);
}

static void start_sending(const struct wire *asked,
                          const struct sockaddr_in *from)
{
    // Asked again while it sends: only the end moves.
    if (asked->run != data_run || !data_until_ns || !asked->a) {
        data_seq = 0;
        set_timer(asked->a);
    }
    data_run = asked->run;
    data_to = *from;
    data_until_ns = asked->a ? clock_ns(CLOCK_MONOTONIC) + 60000000000U : 0;
}

static void answer_holes(struct wire *wire)
{
    bool known = wire->run == echo_run;
    wire->total = known ? echoes.hole_count : 0;
    wire->from = known ? echoes.from : 0;
    wire->next = known ? echoes.next : 0;
    wire->pad = known && echoes.overflow;
    if (wire->seq < wire->total) {
        wire->a = echoes.holes[wire->seq].first;
        wire->b = echoes.holes[wire->seq].last;
    }
}

static void take_question(void)
{
    static char text[STATE_MAX];
    struct wire wire;
    struct sockaddr_in from;
    socklen_t size = sizeof from;
    if (recvfrom(udp, &wire, sizeof wire, MSG_DONTWAIT,
                 (struct sockaddr *)&from, &size) != sizeof wire ||
        wire.magic != WIRE_MAGIC)
        return;
    const void *answer = &wire;
    size_t length = sizeof wire;
    wire.time_ns = clock_ns(CLOCK_MONOTONIC);
    switch (wire.kind) {
    case WIRE_CLOCK:
        break;
    case WIRE_SEND:
        start_sending(&wire, &from);
        break;
    case WIRE_HOLES:
        answer_holes(&wire);
        break;
    case WIRE_STATE:
        length = state(text);
        answer = text;
        break;
    default:
        return;
    }
    sendto(udp, answer, length, MSG_DONTWAIT, (struct sockaddr *)&from,
           size); // a lost answer is asked for again
}

static void take_echoes(void)
{
    char packet[2048];
    struct wire wire;
    for (;;) {
        ssize_t length = recv(icmp, packet, sizeof packet, MSG_DONTWAIT);
        if (length < 0)
            return;
        size_t at = (size_t)(packet[0] & 15) * 4 + sizeof(struct icmphdr);
        if ((size_t)length < at + sizeof wire)
            continue;
        memcpy(&wire, packet + at, sizeof wire);
        if (wire.magic != WIRE_MAGIC || wire.kind != WIRE_ECHO)
            continue;
        if (wire.run != echo_run)
            seen_begin(&echoes, 0);
        echo_run = wire.run;
        seen_note(&echoes, wire.seq, 0);
    }
}

static void send_data(void)
{
    uint64_t ticks, now = clock_ns(CLOCK_MONOTONIC);
    if (read(timer, &ticks, sizeof ticks) != sizeof ticks)
        return;
    if (now > data_until_ns) {
        data_until_ns = 0;
        set_timer(0);
        return;
    }
    struct wire wire = {.magic = WIRE_MAGIC,
                        .kind = WIRE_DATA,
                        .run = data_run,
                        .seq = data_seq++,
                        .time_ns = now};
    sendto(udp, &wire, sizeof wire, MSG_DONTWAIT, (struct sockaddr *)&data_to,
           sizeof data_to); // what can't be sent is lost: that is measured
}

int main(int argc, char **argv)
{
    mode = argc > 1 ? argv[1] : "";
    open_all();
    // Echoes wait in their socket and are counted together: waking up for each would take half of this machine's time.
    struct pollfd fds[] = {{.fd = udp, .events = POLLIN},
                           {.fd = timer, .events = POLLIN}};
    uint64_t taken_ns = 0;
    for (;;) {
        if (poll(fds, 2, 500) < 0)
            continue;
        uint64_t now = clock_ns(CLOCK_MONOTONIC);
        if (fds[0].revents || now - taken_ns > 400000000U) {
            take_echoes();
            taken_ns = now;
        }
        if (fds[0].revents)
            take_question();
        if (fds[1].revents)
            send_data();
    }
}

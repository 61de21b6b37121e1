// SPDX-License-Identifier: Apache-2.0
// probe: the third point that measures silence between itself and a guest.
//   probe state IP                          prints what the guest's helper tells of itself (JSON)
//   probe run IP FILE [PERIOD-MS] [both]    until SIGTERM: an ICMP echo every PERIOD-MS (10); with `both` the guest also sends
//                                           by itself. Then writes the report (JSON, see README.md) as FILE.
// The guest's kernel answers an echo and its helper notes that it came in: so each way is judged on its own though the guest
// sends nothing by itself. Arrivals are timed by this kernel, so that a busy machine doesn't make silence.
#include "seen.h"
#include "wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/icmp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum {
    SENDS_MAX = 400000,
    DRAIN_MS = 3000,
    CLOCK_EVERY_MS = 500,
    SEND_EVERY_MS = 5000
};

// Of one way: what arrived, and the longest time without an arrival.
struct way {
    struct seen seen;
    uint64_t last_arrival_ns, gap_ns, gap_at_ns;
};

static struct sockaddr_in guest;
static int udp, icmp, timer, stop;
static uint32_t run, period_ms = 10;
static bool both;
static uint64_t sent_ns[SENDS_MAX]; // of each echo, real time
static uint32_t sent;
static uint64_t
    own_gap_ns; // longest time between two of our own echoes: below it nothing can be said
static struct way replies, data;
static int64_t
    clock_first_ns = INT64_MAX,
    clock_last_ns =
        INT64_MAX; // smallest (here - guest) of the first and the last 3 s
static uint64_t clock_times_ns[4096];
static int64_t clock_offsets_ns[4096];
static uint32_t clock_count;

static void need(long result, const char *what)
{
    if (result >= 0)
        return;
    fprintf(stderr, "probe: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void open_sockets(const char *address)
{
    int on = 1, room = 4 << 20;
    uint32_t filter = ~(1U << ICMP_ECHOREPLY);
    guest = (struct sockaddr_in){.sin_family = AF_INET,
                                 .sin_port = htons(GUEST_PORT)};
    if (inet_pton(AF_INET, address, &guest.sin_addr) != 1) {
        fprintf(stderr, "probe: '%s' is no IPv4 address\n", address);
        exit(2);
    }
    need(udp = socket(AF_INET, SOCK_DGRAM, 0), "UDP socket");
    need(connect(udp, (struct sockaddr *)&guest, sizeof guest), "connect");
    need(icmp = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP),
         "ICMP socket (needs root)");
    need(setsockopt(icmp, SOL_RAW, ICMP_FILTER, &filter, sizeof filter),
         "ICMP filter");
    const int fds[] = {udp, icmp};
    for (int i = 0; i < 2; i++) {
        need(setsockopt(fds[i], SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on),
             "timestamps");
        need(setsockopt(fds[i], SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room),
             "receive buffer");
    }
}

static void ask(enum wire_kind kind, uint32_t seq, uint32_t a)
{
    struct wire wire = {.magic = WIRE_MAGIC,
                        .kind = kind,
                        .run = run,
                        .seq = seq,
                        .a = a,
                        .time_ns = 0};
    send(udp, &wire, sizeof wire,
         MSG_DONTWAIT); // what is not answered is asked again
}

static uint16_t checksum(const void *bytes, size_t size)
{
    const uint8_t *at = bytes;
    uint32_t sum = 0;
    for (size_t i = 0; i + 1 < size; i += 2)
        sum += (uint32_t)at[i] | (uint32_t)at[i + 1] << 8;
    sum = (sum >> 16) + (sum & 0xffff);
    return (uint16_t) ~(sum + (sum >> 16));
}

static void send_echo(void)
{
    struct {
        struct icmphdr head;
        struct wire wire;
    } packet = {
        .head = {.type = ICMP_ECHO},
        .wire = {
            .magic = WIRE_MAGIC, .kind = WIRE_ECHO, .run = run, .seq = sent}};
    packet.head.un.echo.id = (uint16_t)run;
    packet.head.un.echo.sequence = htons((uint16_t)sent);
    packet.head.checksum = checksum(&packet, sizeof packet);
    sent_ns[sent] = clock_ns(CLOCK_REALTIME);
    if (sent && sent_ns[sent] - sent_ns[sent - 1] > own_gap_ns)
        own_gap_ns = sent_ns[sent] - sent_ns[sent - 1];
    sent++;
    sendto(icmp, &packet, sizeof packet, MSG_DONTWAIT,
           (struct sockaddr *)&guest,
           sizeof guest); // unreachable = lost: that is measured
}

static void arrive(struct way *way, uint32_t seq, uint64_t remember_ns,
                   uint64_t now_ns)
{
    if (way->last_arrival_ns && now_ns > way->last_arrival_ns &&
        now_ns - way->last_arrival_ns > way->gap_ns) {
        way->gap_ns = now_ns - way->last_arrival_ns;
        way->gap_at_ns = way->last_arrival_ns;
    }
    way->last_arrival_ns = now_ns;
    seen_note(&way->seen, seq, remember_ns);
}

// Receives one packet; its length, -1 if there is none. *now_ns: when the kernel got it.
static ssize_t receive(int fd, void *buffer, size_t size, uint64_t *now_ns)
{
    union {
        struct cmsghdr head;
        char room[64];
    } control;
    struct iovec part = {.iov_base = buffer, .iov_len = size};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof control};
    ssize_t length = recvmsg(fd, &message, MSG_DONTWAIT);
    *now_ns = clock_ns(CLOCK_REALTIME);
    for (struct cmsghdr *c = length < 0 ? NULL : CMSG_FIRSTHDR(&message); c;
         c = CMSG_NXTHDR(&message, c)) {
        struct timespec stamp;
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_TIMESTAMPNS)
            continue;
        memcpy(&stamp, CMSG_DATA(c), sizeof stamp);
        *now_ns =
            (uint64_t)stamp.tv_sec * 1000000000U + (uint64_t)stamp.tv_nsec;
    }
    return length;
}

static void take_replies(void)
{
    char packet[2048];
    struct wire wire;
    uint64_t now;
    ssize_t length;
    while ((length = receive(icmp, packet, sizeof packet, &now)) >= 0) {
        size_t at = (size_t)(packet[0] & 15) * 4 + sizeof(struct icmphdr);
        if ((size_t)length < at + sizeof wire)
            continue;
        memcpy(&wire, packet + at, sizeof wire);
        if (wire.magic == WIRE_MAGIC && wire.kind == WIRE_ECHO &&
            wire.run == run && wire.seq < sent)
            arrive(&replies, wire.seq, sent_ns[wire.seq], now);
    }
}

static void note_clock(uint64_t guest_ns, uint64_t now)
{
    if (clock_count == sizeof clock_times_ns / sizeof *clock_times_ns)
        return;
    clock_times_ns[clock_count] = now;
    clock_offsets_ns[clock_count++] = (int64_t)now - (int64_t)guest_ns;
}

// Takes what came by UDP; true if `answer` was given and the answer of `kind`, number `seq`, is in it now.
static bool take_datagrams(enum wire_kind kind, uint32_t seq,
                           struct wire *answer)
{
    struct wire wire;
    uint64_t now;
    ssize_t length;
    while ((length = receive(udp, &wire, sizeof wire, &now)) >= 0 ||
           errno == ECONNREFUSED) {
        if (length != sizeof wire || wire.magic != WIRE_MAGIC ||
            wire.run != run)
            continue;
        if (wire.kind == WIRE_DATA) {
            if (!data.last_arrival_ns)
                seen_begin(&data.seen, wire.seq);
            arrive(&data, wire.seq, wire.time_ns, now);
        } else if (wire.kind == WIRE_CLOCK) {
            note_clock(wire.time_ns, now);
        } else if (answer && wire.kind == kind && wire.seq == seq) {
            *answer = wire;
            return true;
        }
    }
    return false;
}

static bool ask_until(enum wire_kind kind, uint32_t seq, struct wire *answer)
{
    for (int try = 0; try < 40; try++) {
        struct pollfd fd = {.fd = udp, .events = POLLIN};
        ask(kind, seq, 0);
        for (uint64_t end = clock_ns(CLOCK_MONOTONIC) + 500000000U;
             clock_ns(CLOCK_MONOTONIC) < end;) {
            poll(&fd, 1, 50);
            if (take_datagrams(kind, seq, answer))
                return true;
        }
    }
    return false;
}

// --- the report ---------------------------------------------------------------------------------------------------------

struct loss {
    uint64_t lost, longest_ns, at_ns;
};

static void add_loss(struct loss *loss, uint64_t count, uint64_t length_ns,
                     uint64_t at_ns)
{
    loss->lost += count;
    if (length_ns <= loss->longest_ns)
        return;
    loss->longest_ns = length_ns;
    loss->at_ns = at_ns;
}
// Echoes first..last were lost: as long as from the first's sending to that of the next that was not.
static void add_lost_echoes(struct loss *loss, uint32_t first, uint32_t last)
{
    uint64_t end = last + 1 < sent
                       ? sent_ns[last + 1]
                       : sent_ns[sent - 1] + (uint64_t)period_ms * 1000000;
    add_loss(loss, last - first + 1, end - sent_ns[first], sent_ns[first]);
}
static struct loss lost_echoes(const struct seen *seen)
{
    struct loss loss = {0};
    for (uint32_t i = 0; i < seen->hole_count; i++)
        add_lost_echoes(&loss, seen->holes[i].first, seen->holes[i].last);
    if (seen->next < sent)
        add_lost_echoes(&loss, seen->next, sent - 1);
    return loss;
}
// The guest's own sending: as long as between its sending of the ones around a hole, less one period.
static struct loss lost_data(void)
{
    struct loss loss = {0};
    uint64_t period_ns = (uint64_t)period_ms * 1000000;
    for (uint32_t i = 0; i < data.seen.hole_count; i++) {
        const struct hole *hole = &data.seen.holes[i];
        uint64_t length = hole->after_ns - hole->before_ns;
        uint64_t at = (uint64_t)((int64_t)hole->before_ns +
                                 (clock_count ? clock_offsets_ns[0] : 0));
        add_loss(&loss, hole->last - hole->first + 1,
                 length > period_ns ? length - period_ns : 0, at);
    }
    return loss;
}

// Fetches the guest's list of echoes that never came in. False: the guest doesn't answer, or knows nothing of this run.
static bool fetch_in(struct seen *seen)
{
    struct wire wire;
    seen_begin(seen, 0);
    if (!ask_until(WIRE_HOLES, 0, &wire) || wire.next == 0)
        return false;
    uint32_t total = wire.total;
    seen->next = wire.next;
    seen->overflow = wire.pad != 0;
    for (uint32_t i = 0; i < total && i < HOLES_MAX; i++) {
        if (!ask_until(WIRE_HOLES, i, &wire))
            return false;
        seen->holes[seen->hole_count++] =
            (struct hole){.first = wire.a, .last = wire.b};
    }
    return true;
}

static void print_loss(FILE *out, const char *name, uint64_t count,
                       struct loss loss, bool overflow)
{
    fprintf(out,
            "\"%s\":{\"sent\":%llu,\"lost\":%llu,\"longest_loss_ms\":%llu,"
            "\"longest_loss_at_ms\":%llu,\"exact\":%s",
            name, (unsigned long long)count, (unsigned long long)loss.lost,
            (unsigned long long)(loss.longest_ns / 1000000),
            (unsigned long long)(loss.at_ns / 1000000),
            overflow ? "false" : "true");
}
static void print_silence(FILE *out, const struct way *way)
{
    fprintf(out,
            ",\"doubles\":%u,\"longest_silence_ms\":%llu,\"longest_silence_at_"
            "ms\":%llu}",
            way->seen.doubles, (unsigned long long)(way->gap_ns / 1000000),
            (unsigned long long)(way->gap_at_ns / 1000000));
}

// How much less time passed in the guest than here: by the smallest distance of the clocks in the first and the last 3 s.
static long long guest_stop_ms(void)
{
    if (clock_count == 0)
        return -1;
    for (uint32_t i = 0; i < clock_count; i++) {
        if (clock_times_ns[i] < clock_times_ns[0] + 3000000000U &&
            clock_offsets_ns[i] < clock_first_ns)
            clock_first_ns = clock_offsets_ns[i];
        if (clock_times_ns[i] + 3000000000U > clock_times_ns[clock_count - 1] &&
            clock_offsets_ns[i] < clock_last_ns)
            clock_last_ns = clock_offsets_ns[i];
    }
    return (clock_last_ns - clock_first_ns) / 1000000;
}

static int report(const char *file, uint64_t begin_ns, uint64_t end_ns)
{
    static struct seen in;
    bool known = fetch_in(&in);
    FILE *out = fopen(file, "w");
    if (!out) {
        fprintf(stderr, "probe: %s: %s\n", file, strerror(errno));
        return 1;
    }
    fprintf(out,
            "{\"begin_ms\":%llu,\"end_ms\":%llu,\"period_ms\":%u,\"own_gap_"
            "ms\":%llu,\"guest_stop_ms\":%lld,",
            (unsigned long long)(begin_ns / 1000000),
            (unsigned long long)(end_ns / 1000000), period_ms,
            (unsigned long long)(own_gap_ns / 1000000), guest_stop_ms());
    if (known) {
        print_loss(out, "in", sent, lost_echoes(&in), in.overflow);
        fprintf(out, "},");
    } else {
        fprintf(out, "\"in\":null,");
    }
    print_loss(out, "round", sent, lost_echoes(&replies.seen),
               replies.seen.overflow);
    print_silence(out, &replies);
    if (both) {
        fprintf(out, ",");
        print_loss(out, "out", data.seen.next - data.seen.from, lost_data(),
                   data.seen.overflow);
        print_silence(out, &data);
    }
    fprintf(out, "}\n");
    if (fclose(out)) {
        fprintf(stderr, "probe: %s: %s\n", file, strerror(errno));
        return 1;
    }
    return 0;
}

// --- the run ------------------------------------------------------------------------------------------------------------

static void prepare(void)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    need(sigprocmask(SIG_BLOCK, &signals, NULL), "signals");
    need(stop = signalfd(-1, &signals, SFD_NONBLOCK), "signals");
    need(timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK), "timer");
    struct itimerspec times = {
        .it_interval = {.tv_nsec = (long)period_ms * 1000000},
        .it_value = {.tv_nsec = 1}};
    need(timerfd_settime(timer, 0, &times, NULL), "timer");
    need(getrandom(&run, sizeof run, 0), "random number");
}

static int measure(const char *file)
{
    prepare();
    uint64_t begin = clock_ns(CLOCK_REALTIME), ticks = 0, end = 0;
    uint32_t asked = 0;
    struct pollfd fds[] = {{.fd = stop, .events = POLLIN},
                           {.fd = timer, .events = POLLIN},
                           {.fd = icmp, .events = POLLIN},
                           {.fd = udp, .events = POLLIN}};
    replies.last_arrival_ns = begin;
    while (!end || clock_ns(CLOCK_REALTIME) < end + DRAIN_MS * 1000000ULL) {
        poll(fds, 4, 100);
        if (!end && (fds[0].revents || sent == SENDS_MAX))
            end = clock_ns(CLOCK_REALTIME);
        if (read(timer, &ticks, sizeof ticks) == sizeof ticks && !end) {
            send_echo();
            uint32_t due = (uint32_t)((sent_ns[sent - 1] - begin) / 1000000 /
                                      CLOCK_EVERY_MS) +
                           1;
            if (asked < due) {
                ask(WIRE_CLOCK, asked, 0);
                if (both && asked % (SEND_EVERY_MS / CLOCK_EVERY_MS) == 0)
                    ask(WIRE_SEND, asked, period_ms);
                asked = due;
            }
        }
        take_replies();
        take_datagrams(0, 0, NULL);
    }
    if (both)
        for (int i = 0; i < 3; i++)
            ask(WIRE_SEND, 0, 0);
    if (end > replies.last_arrival_ns &&
        end - replies.last_arrival_ns > replies.gap_ns) {
        replies.gap_ns = end - replies.last_arrival_ns;
        replies.gap_at_ns = replies.last_arrival_ns;
    }
    return report(file, begin, end);
}

static int tell_state(void)
{
    char text[STATE_MAX];
    for (int try = 0; try < 15; try++) {
        struct pollfd fd = {.fd = udp, .events = POLLIN};
        ask(WIRE_STATE, 0, 0);
        if (poll(&fd, 1, 1000) <= 0)
            continue;
        ssize_t length = recv(udp, text, sizeof text - 1, MSG_DONTWAIT);
        if (length <= 0 || text[0] != '{')
            continue;
        return fwrite(text, 1, (size_t)length, stdout) == (size_t)length ? 0
                                                                         : 1;
    }
    fprintf(stderr, "probe: the guest does not answer\n");
    return 1;
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "state") == 0) {
        open_sockets(argv[2]);
        return tell_state();
    }
    if (argc < 4 || argc > 6 || strcmp(argv[1], "run") != 0) {
        fprintf(
            stderr,
            "usage: probe state IP | probe run IP FILE [PERIOD-MS] [both]\n");
        return 2;
    }
    both = strcmp(argv[argc - 1], "both") == 0;
    if (argc - both == 5) {
        period_ms = (uint32_t)strtoul(argv[4], NULL, 10);
        if (period_ms < 1 || period_ms > 900) {
            fprintf(stderr, "probe: PERIOD-MS is 1 to 900\n");
            return 2;
        }
    }
    open_sockets(argv[2]);
    return measure(argv[3]);
}

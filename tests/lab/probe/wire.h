// SPDX-License-Identifier: Apache-2.0
// What the third point (probe.c) and a guest's helper (guestd.c) say to each other: one struct, in UDP datagrams to
// GUEST_PORT, and as the payload of the ICMP echoes that the guest's kernel answers. Both ends are x86-64 and built
// together, so numbers are in the order of the processor.
#pragma once

#include <assert.h>
#include <stdint.h>
#include <time.h>

enum { GUEST_PORT = 7002, STATE_MAX = 8192 };

static const uint32_t WIRE_MAGIC = 0x50524f42;

enum wire_kind {
    WIRE_ECHO = 1, // ICMP payload: run, seq
    WIRE_CLOCK, // asks for the guest's monotonic clock; answered with time_ns
    WIRE_SEND, // asks the guest to send a WIRE_DATA every `a` ms, for 60 s from now; a = 0 ends it
    WIRE_DATA, // what it then sends: seq, time_ns = its monotonic clock at that moment
    WIRE_HOLES, // asks for the seq-th row of echoes of `run` that never came in; answered with a = first, b = last number
    // of it; from = where counting began, next = one after the last that came in; total = number of rows
    WIRE_STATE, // asks for the guest's interfaces; answered with JSON text, not with this struct
};

struct wire {
    uint32_t magic;
    uint32_t kind;
    uint32_t
        run; // chosen by the third point, another for each run: leftovers of an earlier one are told apart
    uint32_t seq; // counted from 0
    uint64_t time_ns;
    uint32_t a, b;
    uint32_t from, next;
    uint32_t total, pad;
};
static_assert(sizeof(struct wire) == 48, "no padding on the wire");

static inline uint64_t clock_ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

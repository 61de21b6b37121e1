/* SPDX-License-Identifier: Apache-2.0 */
/* The connections and how long they may take. libmicrohttpd's own timeout is
 * moved on by every byte, so a peer that sends one byte a second holds its place
 * for ever; here a request's head has a deadline, its body a least rate, and when
 * places run out those that have been idle or incomplete for longest go first.
 *
 * Also the last care of connections that are closed while the peer still sends:
 * they are read empty for a moment, because closing a socket with unread bytes
 * resets it and may destroy the answer on its way.
 *
 * Threads: any; a lock of its own.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct peers;
struct peer;

struct peers *peers_new(unsigned connections_max, unsigned idle_timeout_s);
void peers_free(struct peers *peers);

/* A connection comes and goes. peer_gone() must be called before its descriptor
 * is closed; with unread bytes it lingers. */
struct peer *peer_come(struct peers *peers, int fd);
void peer_gone(struct peers *peers, struct peer *peer);
int peer_fd(const struct peer *peer);

/* What the connection does now: waits for a request or its head (from
 * peer_come() on), sends a body, or is served. */
void peer_receives_head(struct peers *peers, struct peer *peer);
void peer_receives_body(struct peers *peers, struct peer *peer);
void peer_is_served(struct peers *peers, struct peer *peer);

/* Read and drop what still comes after the connection's end: at most 2 s. */
void peer_linger(struct peers *peers, const struct peer *peer);

/* Close who is over time and make room; every 100 ms or so. Returns in how many
 * milliseconds it wants to be called again. */
int peers_tend(struct peers *peers, int64_t now);
size_t peers_count(struct peers *peers);

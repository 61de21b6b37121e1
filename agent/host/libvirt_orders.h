/* SPDX-License-Identifier: Apache-2.0 */
/* What libvirt is told to do with domains (host_ops.h, domain_order): threads
 * that wait for libvirt in place of the agent's loop. At most LIBVIRT_THREADS
 * run at once, made when needed and ended when nothing is left to do; further
 * orders wait for one of them. A domain has one order at a time.
 *
 * An order that libvirt does not end is told as AGAIN after its deadline and goes
 * on holding its thread and its domain until libvirtd speaks again, dies or is
 * restarted. (The keepalive ends only the call whose thread reads the socket: the
 * next in line reads on without a look at it, src/rpc/virnetclient.c,
 * virNetClientIOEventLoop, 9.0 to 11.3.)
 *
 * Threads: all functions from the loop thread; the threads inside share nothing
 * with it but the orders.
 */
#pragma once

#include "common/base/error.h"
#include "common/domain/list.h"

#include <libvirt/libvirt.h>

/* A libvirt daemon reads no more of a connection on which max_client_requests
 * (libvirtd.conf, 5) calls are under way, keepalives included: one more is the
 * worker's, one is what it is reading. */
#define LIBVIRT_THREADS 3
/* Orders that run, wait, or have ended untold. More than a host has domains that
 * change at once; above it AGAIN. */
#define LIBVIRT_ORDERS_MAX 256

struct libvirt_orders;
struct libvirt_orders *libvirt_orders_new(unsigned deadline_ms,
                                          struct error *err);
/* False: threads hang in libvirt; they and all that they use are left behind.
 * Waits for them at most 'ms'. NULL is fine. */
bool libvirt_orders_free(struct libvirt_orders *orders, int ms);
/* Readable when an order has ended or has passed its deadline. */
int libvirt_orders_fd(const struct libvirt_orders *orders);
bool libvirt_orders_drain(struct libvirt_orders *orders);
/* See host_ops.h. 'connection' gets a reference of its own if the order begins;
 * NULL: there is none, 'why' tells the reason. */
int libvirt_orders_give(struct libvirt_orders *orders, virConnectPtr connection,
                        const struct error *why,
                        const struct domain_order *order, struct error *err);

/* libvirt_order.c: do it and wait. What a thread does. */
int libvirt_order_now(virConnectPtr connection,
                      const struct domain_order *order, struct error *err);

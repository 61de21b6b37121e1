/* SPDX-License-Identifier: Apache-2.0 */
/* Threads that give libvirt its orders: see libvirt_orders.h. What they do is in
 * libvirt_order.c. */
#include "agent/host/libvirt_orders.h"

#include "common/base/mem.h"
#include "common/base/timestamp.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/timerfd.h>
#include <time.h>

/* A result that nobody asked for is forgotten. */
#define RESULT_NS (10 * TIMESTAMP_SECOND)

enum stage { WAITING, RUNNING, ENDED };

/* While RUNNING it is its thread's, else whoever holds the lock has it. */
struct job {
    enum stage stage;
    struct domain_order order; /* its texts are owned */
    char *xml, *alias;
    virConnectPtr connection; /* a reference; NULL once ended */
    int64_t since;            /* given, then ended */
    bool late_told, told;
    int result;
    struct error err;
};

struct libvirt_orders {
    int64_t deadline_ns;
    int timer_fd;         /* goes off at once when an order has ended */
    pthread_mutex_t lock; /* guards all below */
    pthread_cond_t ended; /* a thread has */
    bool stopping;
    size_t threads;
    size_t count;
    struct job *jobs[LIBVIRT_ORDERS_MAX]; /* in the order they were given */
};

/* ---- jobs ------------------------------------------------------------------------ */

static struct job *job_new(virConnectPtr connection,
                           const struct domain_order *order)
{
    struct job *job = mem_new(struct job);
    job->order = *order;
    job->order.xml = job->xml = mem_strdup(order->xml);
    job->order.alias = job->alias = mem_strdup(order->alias);
    job->since = timestamp_monotonic();
    virConnectRef(connection);
    job->connection = connection;
    return job;
}

static void job_free(struct job *job)
{
    if (job->connection)
        virConnectClose(job->connection);
    free(job->xml);
    free(job->alias);
    free(job);
}

static bool text_same(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool is_same(const struct domain_order *a, const struct domain_order *b)
{
    return a->kind == b->kind && text_same(a->xml, b->xml) &&
           text_same(a->alias, b->alias);
}

static void remove_at(struct libvirt_orders *orders, size_t at)
{
    job_free(orders->jobs[at]);
    orders->count--;
    memmove(&orders->jobs[at], &orders->jobs[at + 1],
            (orders->count - at) * sizeof *orders->jobs);
}

static void forget_old(struct libvirt_orders *orders, int64_t now)
{
    for (size_t i = orders->count; i-- > 0;) {
        const struct job *job = orders->jobs[i];
        if (job->stage == ENDED && now - job->since >= RESULT_NS)
            remove_at(orders, i);
    }
}

/* ---- the alarm ------------------------------------------------------------------- */

/* When the loop is to be told of this job; 0 = never. */
static int64_t tell_at(const struct libvirt_orders *orders,
                       const struct job *job)
{
    if (job->stage == ENDED)
        return job->told ? 0 : job->since;
    return job->late_told ? 0 : job->since + orders->deadline_ns;
}

/* With the lock held. */
static void set_alarm(const struct libvirt_orders *orders)
{
    int64_t first = 0;
    for (size_t i = 0; i < orders->count; i++) {
        int64_t at = tell_at(orders, orders->jobs[i]);
        if (at && (!first || at < first))
            first = at;
    }
    struct itimerspec spec = {
        .it_value = {.tv_sec = first / TIMESTAMP_SECOND,
                     .tv_nsec = first % TIMESTAMP_SECOND}};
    timerfd_settime(orders->timer_fd, TFD_TIMER_ABSTIME, &spec, NULL);
}

int libvirt_orders_fd(const struct libvirt_orders *orders)
{
    return orders->timer_fd;
}

bool libvirt_orders_drain(struct libvirt_orders *orders)
{
    bool any = false;
    pthread_mutex_lock(&orders->lock);
    int64_t now = timestamp_monotonic();
    for (size_t i = 0; i < orders->count; i++) {
        struct job *job = orders->jobs[i];
        int64_t at = tell_at(orders, job);
        if (!at || at > now)
            continue;
        any = true;
        job->told = job->stage == ENDED;
        job->late_told = true;
    }
    set_alarm(orders);
    pthread_mutex_unlock(&orders->lock);
    return any;
}

/* ---- the threads ------------------------------------------------------------------ */

static struct job *next_waiting(const struct libvirt_orders *orders)
{
    for (size_t i = 0; i < orders->count; i++)
        if (orders->jobs[i]->stage == WAITING)
            return orders->jobs[i];
    return NULL;
}

static void *work(void *context)
{
    struct libvirt_orders *orders = context;
    struct job *job = NULL;
    pthread_mutex_lock(&orders->lock);
    while (!orders->stopping && (job = next_waiting(orders))) {
        struct error err = {0};
        job->stage = RUNNING;
        pthread_mutex_unlock(&orders->lock);
        int result = libvirt_order_now(job->connection, &job->order, &err);
        pthread_mutex_lock(&orders->lock);
        virConnectPtr connection = take_ptr(job->connection);
        job->result = result;
        job->err = err;
        job->since = timestamp_monotonic();
        job->stage = ENDED;
        set_alarm(orders);
        pthread_mutex_unlock(&orders->lock);
        /* The last reference of a connection that was given up waits for
         * libvirt. */
        virConnectClose(connection);
        pthread_mutex_lock(&orders->lock);
    }
    orders->threads--;
    pthread_cond_signal(&orders->ended);
    pthread_mutex_unlock(&orders->lock);
    return NULL;
}

/* They take no signals: those are the agent's. */
static int start_thread(struct libvirt_orders *orders)
{
    pthread_attr_t attr;
    pthread_t thread;
    sigset_t all;
    sigset_t before;
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int number = pthread_create(&thread, &attr, work, orders);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attr);
    if (!number)
        orders->threads++;
    return number;
}

/* ---- the loop's side --------------------------------------------------------------- */

struct libvirt_orders *libvirt_orders_new(unsigned deadline_ms,
                                          struct error *err)
{
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (fd < 0) {
        error_fill_sys(err, errno, "make a timer");
        return NULL;
    }
    struct libvirt_orders *orders = mem_new(struct libvirt_orders);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&orders->ended, &attr);
    pthread_condattr_destroy(&attr);
    pthread_mutex_init(&orders->lock, NULL);
    orders->deadline_ns = deadline_ms * TIMESTAMP_MS;
    orders->timer_fd = fd;
    return orders;
}

bool libvirt_orders_free(struct libvirt_orders *orders, int ms)
{
    if (!orders)
        return true;
    int64_t until = timestamp_monotonic() + ms * TIMESTAMP_MS;
    struct timespec at = {.tv_sec = until / TIMESTAMP_SECOND,
                          .tv_nsec = until % TIMESTAMP_SECOND};
    pthread_mutex_lock(&orders->lock);
    orders->stopping = true;
    int late = 0;
    while (orders->threads && !late)
        late = pthread_cond_timedwait(&orders->ended, &orders->lock, &at);
    bool all = orders->threads == 0;
    pthread_mutex_unlock(&orders->lock);
    if (!all)
        return false;
    while (orders->count)
        remove_at(orders, orders->count - 1);
    pthread_cond_destroy(&orders->ended);
    pthread_mutex_destroy(&orders->lock);
    close(orders->timer_fd);
    free(orders);
    return true;
}

static int begin(struct libvirt_orders *orders, virConnectPtr connection,
                 const struct error *why, const struct domain_order *order,
                 struct error *err)
{
    if (!connection) {
        if (err)
            *err = *why;
        return -1;
    }
    if (orders->count == LIBVIRT_ORDERS_MAX)
        return error_set(err, ERROR_AGAIN, "libvirt has %d orders still to do",
                         LIBVIRT_ORDERS_MAX);
    orders->jobs[orders->count++] = job_new(connection, order);
    int number = 0;
    if (orders->threads < LIBVIRT_THREADS)
        number = start_thread(orders);
    if (number && !orders->threads) {
        remove_at(orders, orders->count - 1);
        return error_set_sys(err, number, "begin to give libvirt an order");
    }
    set_alarm(orders);
    return 1;
}

static int tell_unended(const struct libvirt_orders *orders,
                        const struct job *job, const struct domain_order *order,
                        struct error *err)
{
    int64_t waited = timestamp_monotonic() - job->since;
    if (waited >= orders->deadline_ns)
        return error_set(err, ERROR_AGAIN,
                         "libvirt has not answered for %lld s",
                         (long long)(waited / TIMESTAMP_SECOND));
    if (is_same(&job->order, order))
        return 1;
    return error_set(err, ERROR_AGAIN,
                     "libvirt has another order for this domain still to do");
}

static int give(struct libvirt_orders *orders, virConnectPtr connection,
                const struct error *why, const struct domain_order *order,
                struct error *err)
{
    size_t at = 0;
    forget_old(orders, timestamp_monotonic());
    while (at < orders->count &&
           !uuid_equal(&orders->jobs[at]->order.domain, &order->domain))
        at++;
    if (at == orders->count)
        return begin(orders, connection, why, order, err);
    const struct job *job = orders->jobs[at];
    if (job->stage != ENDED)
        return tell_unended(orders, job, order, err);
    bool same = is_same(&job->order, order);
    int result = job->result;
    if (same && result < 0 && err)
        *err = job->err;
    remove_at(orders, at);
    return same ? result : begin(orders, connection, why, order, err);
}

int libvirt_orders_give(struct libvirt_orders *orders, virConnectPtr connection,
                        const struct error *why,
                        const struct domain_order *order, struct error *err)
{
    pthread_mutex_lock(&orders->lock);
    int result = give(orders, connection, why, order, err);
    pthread_mutex_unlock(&orders->lock);
    return result;
}

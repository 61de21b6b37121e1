/* SPDX-License-Identifier: Apache-2.0 */
/* Threads that bring PFs to a target: see pf_set.h. What they write is in
 * pf_write.c. */
#include "agent/host/pf_set.h"

#include "common/base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* One change: its thread and the list hold a reference each. */
struct change {
    struct ref ref;
    struct sysfs sysfs; /* a descriptor of its own */
    struct pf_key key;
    struct pf_target target;
    int event_fd; /* of its own */

    pthread_mutex_t lock; /* guards what follows */
    bool ended;
    int result;
    struct error err;
};

struct item {
    struct change *change;
    struct pf *before;
    bool told; /* its end, by pf_sets_drain() */
};

struct pf_sets {
    const struct sysfs *sysfs;
    int event_fd;
    size_t count;
    struct item items[HOST_PFS_MAX];
};

static void change_release(void *object)
{
    struct change *change = object;
    pthread_mutex_destroy(&change->lock);
    sysfs_close(&change->sysfs);
    mem_close_p(&change->event_fd);
    free(change);
}

static void *work(void *context)
{
    struct change *change = context;
    struct error err = {0};
    int result =
        pf_set_now(&change->sysfs, &change->key, &change->target, &err);
    pthread_mutex_lock(&change->lock);
    change->result = result;
    change->err = err;
    change->ended = true;
    pthread_mutex_unlock(&change->lock);
    uint64_t one = 1;
    /* Full means that it is readable already. */
    ssize_t ignored = write(change->event_fd, &one, sizeof one);
    (void)ignored;
    ref_put(change);
    return NULL;
}

static bool has_ended(struct change *change)
{
    pthread_mutex_lock(&change->lock);
    bool ended = change->ended;
    pthread_mutex_unlock(&change->lock);
    return ended;
}

struct pf_sets *pf_sets_new(const struct sysfs *sysfs, struct error *err)
{
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd < 0) {
        error_fill_sys(err, errno, "make an event descriptor");
        return NULL;
    }
    struct pf_sets *sets = mem_new(struct pf_sets);
    sets->sysfs = sysfs;
    sets->event_fd = fd;
    return sets;
}

static void remove_item(struct pf_sets *sets, struct item *item)
{
    ref_put(item->change);
    ref_put(item->before);
    *item = sets->items[--sets->count];
}

void pf_sets_free(struct pf_sets *sets)
{
    if (!sets)
        return;
    while (sets->count)
        remove_item(sets, &sets->items[sets->count - 1]);
    close(sets->event_fd);
    free(sets);
}

int pf_sets_fd(const struct pf_sets *sets)
{
    return sets->event_fd;
}

static struct item *find(struct pf_sets *sets, const struct pf_key *key)
{
    for (size_t i = 0; i < sets->count; i++)
        if (pf_key_compare(&sets->items[i].change->key, key) == 0)
            return &sets->items[i];
    return NULL;
}

const struct pf *pf_sets_running(struct pf_sets *sets, const struct pf_key *key)
{
    const struct item *item = find(sets, key);
    return item && !has_ended(item->change) ? item->before : NULL;
}

bool pf_sets_begins(struct pf_sets *sets, const struct pf_key *key,
                    const struct pf_target *target)
{
    const struct item *item = find(sets, key);
    return !item || (has_ended(item->change) &&
                     !pf_target_equal(&item->change->target, target));
}

void pf_sets_drain(struct pf_sets *sets, struct host_changes *out)
{
    uint64_t number = 0;
    ssize_t ignored = read(sets->event_fd, &number, sizeof number);
    (void)ignored;
    for (size_t i = 0; i < sets->count; i++) {
        struct item *item = &sets->items[i];
        if (item->told || !has_ended(item->change))
            continue;
        item->told = true;
        if (out->pf_count == HOST_CHANGES_MAX)
            out->everything = true;
        else
            out->pfs[out->pf_count++] = item->change->key;
    }
}

static struct change *change_new(const struct pf_sets *sets,
                                 const struct pf_key *key,
                                 const struct pf_target *target,
                                 struct error *err)
{
    struct change *change = mem_new(struct change);
    ref_init(&change->ref, change_release);
    pthread_mutex_init(&change->lock, NULL);
    change->key = *key;
    change->target = *target;
    change->sysfs.live = sets->sysfs->live;
    change->sysfs.root = fcntl(sets->sysfs->root, F_DUPFD_CLOEXEC, 0);
    change->event_fd = fcntl(sets->event_fd, F_DUPFD_CLOEXEC, 0);
    if (change->sysfs.root < 0 || change->event_fd < 0) {
        error_fill_sys(err, errno, "begin to change PF %s", key->text);
        ref_put(change);
        return NULL;
    }
    return change;
}

static int begin(struct pf_sets *sets, const struct pf_key *key,
                 const struct pf_target *target, const struct pf *now,
                 struct error *err)
{
    if (sets->count == HOST_PFS_MAX)
        return error_set(err, ERROR_AGAIN, "too many PFs are being changed");
    struct change *change = change_new(sets, key, target, err);
    if (!change)
        return -1;
    pthread_attr_t attr;
    pthread_t thread;
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    ref_get(change); /* the thread's */
    int failed = pthread_create(&thread, &attr, work, change);
    pthread_attr_destroy(&attr);
    if (failed) {
        ref_put(change);
        ref_put(change);
        return error_set_sys(err, failed, "begin to change PF %s", key->text);
    }
    sets->items[sets->count++] =
        (struct item){.change = change, .before = pf_dup(now)};
    return 1;
}

int pf_sets_set(struct pf_sets *sets, const struct pf_key *key,
                const struct pf_target *target, const struct pf *now,
                struct error *err)
{
    struct item *item = find(sets, key);
    if (!item)
        return begin(sets, key, target, now, err);
    struct change *change = item->change;
    if (!has_ended(change))
        return 1;
    bool same = pf_target_equal(&change->target, target);
    if (!same && !now)
        return 1; /* it ended just now: the caller asks again */
    /* Ended: its thread does not write any more. */
    int result = change->result;
    if (same && result < 0 && err)
        *err = change->err;
    remove_item(sets, item);
    return same ? result : begin(sets, key, target, now, err);
}

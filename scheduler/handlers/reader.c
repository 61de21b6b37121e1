/* SPDX-License-Identifier: Apache-2.0 */
/* The reader's thread: see reader.h. Started by handlers_start(). */
#include "scheduler/handlers/reader.h"

#include "common/base/mem.h"
#include "common/base/queue.h"

#include <pthread.h>
#include <stdint.h>
#include <sys/resource.h>
#include <unistd.h>

/* A third of a client's share of a core where both want it, so that reports
 * come through whatever clients do. */
#define READER_NICE 5
#define TAKEN_MAX 16

struct reader {
    struct queue *queue;
    void (*read)(void *item);
    pthread_t thread;
};

static void *thread_main(void *argument)
{
    struct reader *reader = argument;
    void *items[TAKEN_MAX];
    /* In Linux this is about the one thread. Without it, it only is not kind. */
    (void)setpriority(PRIO_PROCESS, (id_t)gettid(), READER_NICE);
    for (;;) {
        size_t count = queue_take(reader->queue, items, TAKEN_MAX, -1);
        for (size_t i = 0; i < count; i++)
            reader->read(items[i]);
        if (count == 0 && queue_is_closed(reader->queue))
            return NULL;
    }
}

struct reader *reader_start(size_t capacity, void (*read)(void *item),
                            struct error *err)
{
    struct reader *reader = mem_new(struct reader);
    reader->queue = queue_new(1, capacity);
    reader->read = read;
    int number = pthread_create(&reader->thread, NULL, thread_main, reader);
    if (number) {
        reader_free(reader);
        error_fill_sys(err, number, "start the reader's thread");
        return NULL;
    }
    return reader;
}

bool reader_submit(struct reader *reader, void *item)
{
    return queue_put(reader->queue, 0, item);
}

void reader_stop(struct reader *reader)
{
    if (!reader)
        return;
    queue_close(reader->queue);
    pthread_join(reader->thread, NULL);
}

void reader_free(struct reader *reader)
{
    if (!reader)
        return;
    queue_free(reader->queue);
    free(reader);
}

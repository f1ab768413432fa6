/* SPDX-License-Identifier: MIT */
/*
 * threads.c: workloads of several threads. What a thread does follows from its number and not from when it runs.
 */
#include "bench.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct worker {
	pthread_t thread;
	uint64_t number, ops, sum;
	struct held *objects;
	size_t n;
	struct queue *queue;
};

static void start(struct worker *w, void *(*body)(void *))
{
	int e = pthread_create(&w->thread, NULL, body, w);
	if (e)
		fail("pthread_create: %s", strerror(e));
}

static uint64_t join(struct worker *w)
{
	pthread_join(w->thread, NULL);
	return w->sum;
}

/* Part i of n of all operations. */
static uint64_t part(uint64_t i, uint64_t n) { return set.ops / n + (i < set.ops % n); }

/* ---- pipe ---- */

/* Objects go over in batches, so that the lock is not what is measured. */
enum { BATCH = 64, BATCHES = 16 };

struct queue {
	pthread_mutex_t lock;
	pthread_cond_t moved;
	struct held batches[BATCHES][BATCH];
	uint64_t put, taken; /* batches, under the lock */
};

static struct held *wait_for(struct queue *q, bool room)
{
	pthread_mutex_lock(&q->lock);
	while (room ? q->put - q->taken == BATCHES : q->put == q->taken)
		pthread_cond_wait(&q->moved, &q->lock);
	struct held *b = q->batches[(room ? q->put : q->taken) % BATCHES];
	pthread_mutex_unlock(&q->lock);
	return b;
}

static void moved(struct queue *q, uint64_t *count)
{
	pthread_mutex_lock(&q->lock);
	++*count;
	pthread_cond_signal(&q->moved);
	pthread_mutex_unlock(&q->lock);
}

static void *produce(void *arg)
{
	struct worker *w = arg;
	struct rng r = rng_make(w->number);

	for (uint64_t i = 0; i < w->ops;) {
		struct held *b = wait_for(w->queue, true);
		for (size_t k = 0; k < BATCH; k++, i++) {
			size_t size = 16 + rng_below(&r, 240);
			if (i >= w->ops)
				b[k].p = NULL;
			else
				hold(&b[k], malloc(size), size, (uint32_t)rng_next(&r));
		}
		moved(w->queue, &w->queue->put);
	}
	return NULL;
}

static void *consume(void *arg)
{
	struct worker *w = arg;

	for (uint64_t i = 0; i < w->ops; i += BATCH) {
		struct held *b = wait_for(w->queue, false);
		for (size_t k = 0; k < BATCH; k++)
			w->sum += let_go(&b[k]);
		moved(w->queue, &w->queue->taken);
	}
	return NULL;
}

uint64_t work_pipe(void)
{
	struct worker *all = need(calloc(2 * set.threads, sizeof *all));
	uint64_t sum = 0;

	for (uint64_t i = 0; i < set.threads; i++) {
		struct queue *q = need(calloc(1, sizeof *q));
		pthread_mutex_init(&q->lock, NULL);
		pthread_cond_init(&q->moved, NULL);
		all[2 * i] = (struct worker){.number = i, .ops = part(i, set.threads), .queue = q};
		all[2 * i + 1] = all[2 * i];
		start(&all[2 * i], produce);
		start(&all[2 * i + 1], consume);
	}
	for (uint64_t i = 0; i < 2 * set.threads; i++) {
		sum += join(&all[i]);
		if (i % 2)
			free(all[i].queue);
	}
	free(all);
	return sum;
}

/* ---- churn ---- */

enum { LEFT = 100 };

/* Frees what the thread before has left, allocates, frees half, leaves the rest. */
static void *live_short(void *arg)
{
	struct worker *w = arg;
	struct rng r = rng_make(w->number);

	for (size_t i = 0; i < LEFT; i++)
		w->sum += let_go(&w->objects[i]);
	for (size_t i = 0; i < 2 * LEFT; i++) {
		struct held *h = &w->objects[i / 2];
		size_t size = mixed_size(&r);
		w->sum += let_go(h);
		hold(h, malloc(size), size, (uint32_t)rng_next(&r));
	}
	return NULL;
}

uint64_t work_churn(void)
{
	struct worker *all = need(calloc(set.threads, sizeof *all));
	uint64_t sum = 0;

	for (uint64_t i = 0; i < set.ops + set.threads; i++) {
		struct worker *w = &all[i % set.threads];
		if (i >= set.threads && i - set.threads < set.ops)
			sum += join(w);
		if (i >= set.ops)
			continue;
		if (!w->objects)
			w->objects = need(calloc(LEFT, sizeof *w->objects));
		w->number = i;
		w->sum = 0;
		start(w, live_short);
	}
	for (uint64_t i = 0; i < set.threads; i++) {
		for (size_t k = 0; all[i].objects && k < LEFT; k++)
			sum += let_go(&all[i].objects[k]);
		free(all[i].objects);
	}
	free(all);
	return sum;
}

/* ---- server ---- */

static void *serve(void *arg)
{
	struct worker *w = arg;
	struct rng r = rng_make(w->number);

	for (uint64_t i = 0; i < w->ops; i++) {
		struct held *h = &w->objects[rng_below(&r, w->n)];
		size_t size = 16 + rng_below(&r, 1009);
		w->sum += let_go(h);
		hold(h, malloc(size), size, (uint32_t)rng_next(&r));
	}
	return NULL;
}

/* After each round the threads end, and the objects of each go to a new one, as in a server whose threads come and go. */
uint64_t work_server(void)
{
	enum { ROUNDS = 16, OBJECTS = 2000 };
	struct worker *all = need(calloc(set.threads, sizeof *all));
	uint64_t sum = 0;

	for (uint64_t i = 0; i < set.threads; i++) {
		all[i].objects = need(calloc(OBJECTS, sizeof *all[i].objects));
		all[i].n = OBJECTS;
	}
	for (uint64_t round = 0; round < ROUNDS; round++) {
		struct held *first = all[0].objects;
		for (uint64_t i = 0; i < set.threads; i++) {
			struct worker *w = &all[i];
			w->number = round * set.threads + i;
			w->ops = part(w->number, ROUNDS * set.threads);
			w->sum = 0;
			w->objects = i + 1 < set.threads ? all[i + 1].objects : first;
		}
		for (uint64_t i = 0; i < set.threads; i++)
			start(&all[i], serve);
		for (uint64_t i = 0; i < set.threads; i++)
			sum += join(&all[i]);
	}
	for (uint64_t i = 0; i < set.threads; i++) {
		for (size_t k = 0; k < OBJECTS; k++)
			sum += let_go(&all[i].objects[k]);
		free(all[i].objects);
	}
	free(all);
	return sum;
}

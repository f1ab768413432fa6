/*
 * Threads that hand objects to each other under a lock, free what others have made, end, and leave objects to those that come later.
 * With "race" as argument two of them also write to one object without a lock, in the line that says so. For Helgrind and DRD.
 */
#include "typed_malloc.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDS 3
#define OBJECTS 60

struct node {
	struct node *next;
	long x;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct node *list;
static char *buffers[OBJECTS];
static long *counter;
static int racy;

static void push(struct node *n)
{
	pthread_mutex_lock(&lock);
	n->next = list;
	list = n;
	pthread_mutex_unlock(&lock);
}

static struct node *pop(void)
{
	pthread_mutex_lock(&lock);
	struct node *n = list;
	list = n ? n->next : NULL;
	pthread_mutex_unlock(&lock);
	return n;
}

static void *work(void *arg)
{
	for (int i = 0; i < OBJECTS; i++) {
		struct node *n = typed_malloc_obj(struct node);
		n->x = i;
		push(n);
		if (i % 3 && (n = pop())) {
			n->x++;
			typed_free(n);
		}
		char *p = malloc((size_t)(i % 7 + 1) * 100);
		memset(p, i, 100);
		pthread_mutex_lock(&lock);
		char *old = buffers[i];
		buffers[i] = p;
		pthread_mutex_unlock(&lock);
		free(old);
		char *large = typed_malloc(40000);
		large[i] = 1;
		typed_free(large);
	}
	if (racy)
		++*counter; /* at race */
	return arg;
}

int main(int argc, char **argv)
{
	racy = argc > 1 && !strcmp(argv[1], "race");
	counter = typed_malloc_obj(long);
	*counter = 0;
	for (int r = 0; r < ROUNDS; r++) {
		pthread_t t[2];
		for (int i = 0; i < 2; i++)
			if (pthread_create(&t[i], NULL, work, NULL))
				return 1;
		for (int i = 0; i < 2; i++)
			pthread_join(t[i], NULL);
	}
	for (struct node *n; (n = pop());)
		typed_free(n);
	for (int i = 0; i < OBJECTS; i++)
		free(buffers[i]);
	typed_free(counter);
	return 0;
}

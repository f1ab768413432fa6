/* SPDX-License-Identifier: MIT */
/*
 * parser.c: a small configuration language, to be fuzzed. typed_fuzz.sh compiles it with BUG=1 to 8, each with one error
 * in its use of memory, and with BUG=0, without any.
 *
 *     name = "text\n";  port = 80;  key = x"c0ffee";  list = [1, "two", [3]];  sub = { a = 1; };  same = &name;
 *     drop name;  trim key 2;  join list list;  print name;
 */
#include "typed_malloc.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef BUG
#define BUG 0
#endif
#define DEPTH 16

enum kind { NUMBER, TEXT, BLOB, LIST, TABLE };

struct blob {
	size_t n;
	unsigned char bytes[];
};

struct list {
	size_t n, room;
	struct value **items;
};

struct value {
	enum kind kind;
	unsigned owners;
	union {
		long number;
		char *text;
		struct blob *blob;
		struct list *list;
		struct table *table;
	} is;
};

struct entry {
	struct entry *next;
	char *key;
	struct value *value;
	long shown;
};

struct table {
	struct entry *first;
	struct table *up;
};

struct input {
	const char *at, *end;
	int depth;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
static volatile long sink; /* what is printed */
static struct value *parse_value(struct input *in, struct table *scope);
static bool parse_entries(struct input *in, struct table *scope, char end);

/* ---- objects ---- */

static void drop_table(struct table *t);

static void drop_value(struct value *v)
{
	if (!v || --v->owners)
		return;
	switch (v->kind) {
	case NUMBER: break;
	case TEXT: typed_free(v->is.text); break;
	case BLOB: typed_free_sized(v->is.blob, sizeof(struct blob) + v->is.blob->n); break;
	case LIST:
		for (size_t i = 0; i < v->is.list->n; i++)
			drop_value(v->is.list->items[i]);
		typed_free(v->is.list->items);
		typed_free(v->is.list);
		break;
	case TABLE: drop_table(v->is.table); break;
	}
	typed_free(v);
}

static void drop_entry(struct entry *e)
{
	typed_free(e->key);
	drop_value(e->value);
	typed_free(e);
}

static void drop_table(struct table *t)
{
	while (t->first) {
		struct entry *e = t->first;
		t->first = e->next;
		drop_entry(e);
	}
	typed_free(t);
}

static struct value *new_value(enum kind kind)
{
	struct value *v = typed_malloc_obj(struct value);

	if (v)
		*v = (struct value){.kind = kind, .owners = 1};
	return v;
}

static struct table *new_table(struct table *up)
{
	struct table *t = typed_malloc_obj(struct table);

	if (t)
		*t = (struct table){.up = up};
	return t;
}

static struct entry *find(const struct table *t, const char *key)
{
	for (struct entry *e = t->first; e; e = e->next) {
		if (strcmp(e->key, key) == 0)
			return e;
	}
	return NULL;
}

static bool add_item(struct list *l, struct value *v)
{
#if BUG == 2 /* the array is full one item later than it thinks */
	if (l->n > l->room) {
#else
	if (l->n == l->room) {
#endif
		size_t room = l->room ? l->room * 2 : 3;
		struct value **items = typed_malloc_objs(struct value *, room);
		if (!items)
			return false;
		if (l->n)
			memcpy(items, l->items, l->n * sizeof *items);
		typed_free(l->items);
		l->items = items;
		l->room = room;
	}
#if BUG == 2
	if (!l->items)
		return false;
#endif
	l->items[l->n++] = v;
	return true;
}

/* ---- text ---- */

static void skip(struct input *in)
{
	while (in->at < in->end && (*in->at == ' ' || *in->at == '\n' || *in->at == '\t'))
		in->at++;
}

static bool take(struct input *in, char c)
{
	skip(in);
	if (in->at == in->end || *in->at != c)
		return false;
	in->at++;
	return true;
}

static bool letter(char c) { return (c >= 'a' && c <= 'z') || c == '_'; }

static char *parse_key(struct input *in)
{
	const char *from;
	size_t n;

	skip(in);
	for (from = in->at; in->at < in->end && letter(*in->at);)
		in->at++;
	n = (size_t)(in->at - from);
	if (!n)
		return NULL;
	char *key = typed_malloc_objs(char, n + 1);
	if (key) {
		memcpy(key, from, n);
		key[n] = 0;
	}
	return key;
}

/* Behind the quote. Two passes: how long, then what. */
static struct value *parse_text(struct input *in)
{
	const char *p = in->at;
	size_t n = 0, i = 0;

	for (; p < in->end && *p != '"'; p++, n++) {
		if (*p == '\\' && ++p == in->end)
			return NULL;
#if BUG == 1 /* a tabulator is written as two spaces, and counted as one */
		if (p[-1] == '\\' && *p == 't')
			continue;
#endif
		n += p[-1] == '\\' && *p == 't';
	}
	if (p == in->end)
		return NULL;
	struct value *v = new_value(TEXT);
	char *text = v ? typed_malloc_objs(char, n + 1) : NULL;
	if (!text) {
		typed_free(v);
		return NULL;
	}
	for (; *in->at != '"'; in->at++) {
		char c = *in->at;
		if (c == '\\') {
			c = *++in->at;
			if (c == 't')
				text[i++] = ' ';
			c = c == 'n' ? '\n' : c == 't' ? ' ' : c;
		}
		text[i++] = c;
	}
	in->at++;
	text[i] = 0;
	v->is.text = text;
	return v;
}

static int hex(char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1; }

/* Behind x". */
static struct value *parse_blob(struct input *in)
{
	size_t digits = 0;

	while (in->at + digits < in->end && hex(in->at[digits]) >= 0)
		digits++;
	if (in->at + digits == in->end || in->at[digits] != '"')
		return NULL;
#if BUG == 3 /* an odd digit gets no byte */
	size_t n = digits / 2;
#else
	size_t n = (digits + 1) / 2;
#endif
	struct value *v = new_value(BLOB);
	struct blob *b = v ? typed_malloc_flex(struct blob, bytes, n) : NULL;
	if (!b) {
		typed_free(v);
		return NULL;
	}
	b->n = n;
	for (size_t i = 0; i < digits; i++) {
		if (i % 2 == 0)
			b->bytes[i / 2] = 0xf0;
		b->bytes[i / 2] = (unsigned char)(b->bytes[i / 2] << 4 | hex(in->at[i]));
	}
	in->at += digits + 1;
	v->is.blob = b;
	return v;
}

static struct value *parse_number(struct input *in)
{
	bool minus = *in->at == '-';
	unsigned long n = 0;

	for (in->at += minus; in->at < in->end && *in->at >= '0' && *in->at <= '9'; in->at++)
		n = n * 10 + (unsigned long)(*in->at - '0');
	struct value *v = new_value(NUMBER);
	if (v)
		v->is.number = (long)(minus ? -n : n);
	return v;
}

static struct value *parse_list(struct input *in, struct table *scope)
{
	struct value *v = new_value(LIST);
	struct list *l = v ? typed_malloc_obj(struct list) : NULL;

	if (!l) {
		typed_free(v);
		return NULL;
	}
	*l = (struct list){0};
	v->is.list = l;
#if BUG == 2
	l->items = typed_malloc_objs(struct value *, 3);
	l->room = 3;
#endif
	if (take(in, ']'))
		return v;
	do {
		struct value *item = parse_value(in, scope);
		if (!item || !add_item(l, item)) {
			drop_value(item);
			drop_value(v);
			return NULL;
		}
	} while (take(in, ','));
	if (take(in, ']'))
		return v;
	drop_value(v);
	return NULL;
}

static struct value *parse_table(struct input *in, struct table *scope)
{
	struct value *v = new_value(TABLE);
	struct table *t = v ? new_table(scope) : NULL;

	if (!t) {
		typed_free(v);
		return NULL;
	}
	v->is.table = t;
	if (parse_entries(in, t, '}'))
		return v;
	drop_value(v);
	return NULL;
}

static struct value *parse_reference(struct input *in, struct table *scope)
{
	struct entry *e = NULL;
	char *key = parse_key(in);

	for (struct table *t = scope; key && t && !e; t = t->up)
		e = find(t, key);
	typed_free(key);
	if (!e || e->value->kind == TABLE || e->value->kind == LIST) /* no rings */
		return NULL;
#if BUG == 5 /* a reference owns nothing of what it refers to */
	if (e->value->kind != TEXT)
#endif
		e->value->owners++;
	return e->value;
}

static struct value *parse_value(struct input *in, struct table *scope)
{
	struct value *v = NULL;

	skip(in);
	if (in->at == in->end || ++in->depth > DEPTH)
		return NULL;
	if ((*in->at >= '0' && *in->at <= '9') || *in->at == '-')
		v = parse_number(in);
	else if (take(in, '"'))
		v = parse_text(in);
	else if (take(in, '['))
		v = parse_list(in, scope);
	else if (take(in, '{'))
		v = parse_table(in, scope);
	else if (take(in, '&'))
		v = parse_reference(in, scope);
	else if (take(in, 'x') && take(in, '"'))
		v = parse_blob(in);
	in->depth--;
	return v;
}

/* ---- commands ---- */

static bool drop_command(struct table *t, const char *key)
{
	for (struct entry **p = &t->first; *p; p = &(*p)->next) {
		struct entry *e = *p;
		if (strcmp(e->key, key) == 0) {
			*p = e->next;
			drop_entry(e);
			return true;
		}
	}
	return false;
}

static bool trim_command(struct input *in, struct entry *e)
{
	skip(in);
	if (in->at == in->end || *in->at < '0' || *in->at > '9' || !e || e->value->kind != BLOB)
		return false;
	size_t n = (size_t)(*in->at++ - '0');
	struct blob *b = e->value->is.blob, *c;
	if (n >= b->n)
		return true;
#if BUG == 6 /* the size changes, the object does not */
	c = b;
#else
	c = typed_malloc_flex(struct blob, bytes, n);
	if (!c)
		return false;
	memcpy(c->bytes, b->bytes, n);
	typed_free_sized(b, sizeof *b + b->n);
#endif
	c->n = n;
	e->value->is.blob = c;
	return true;
}

static bool join_command(struct input *in, struct table *scope, struct entry *to)
{
	char *key = parse_key(in);
	struct entry *from = key ? find(scope, key) : NULL;

	typed_free(key);
	if (!to || !from || to->value->kind != LIST || from->value->kind != LIST || from->value->is.list->n > 64)
		return false;
	for (size_t i = 0, n = from->value->is.list->n; i < n; i++) {
		struct value *v = from->value->is.list->items[i];
		if (!add_item(to->value->is.list, v))
			return false;
		v->owners++;
	}
	return true;
}

static void print_command(struct entry *e)
{
	if (e->value->kind == TEXT)
		sink += (long)strlen(e->value->is.text);
	if (e->shown) /* BUG 8: was it ever set? */
		sink++;
	e->shown = 1;
}

static bool command(struct input *in, struct table *scope, const char *name)
{
	char *key = parse_key(in);
	struct entry *e = key ? find(scope, key) : NULL;
	bool good = true;

	if (strcmp(name, "drop") == 0 && key)
		drop_command(scope, key);
	else if (strcmp(name, "trim") == 0)
		good = trim_command(in, e);
	else if (strcmp(name, "join") == 0)
		good = join_command(in, scope, e);
	else if (strcmp(name, "print") == 0 && e)
		print_command(e);
	else
		good = false;
	typed_free(key);
	return good;
}

static bool assign(struct input *in, struct table *scope, char *key)
{
	struct entry *e;
	struct value *v = parse_value(in, scope);

	if (!v) {
#if BUG != 7 /* nobody frees the key of a value that is none */
		typed_free(key);
#endif
		return false;
	}
	e = find(scope, key);
	if (e) {
		drop_value(e->value);
		e->value = v;
		typed_free(key);
#if BUG == 4 /* once more, on a way that is seldom gone */
		if (v->kind == BLOB)
			typed_free(key);
#endif
		return true;
	}
	e = typed_malloc_obj(struct entry);
	if (!e) {
		drop_value(v);
		typed_free(key);
		return false;
	}
	e->next = scope->first;
	e->key = key;
	e->value = v;
#if BUG != 8
	e->shown = 0;
#endif
	scope->first = e;
	return true;
}

static bool parse_entries(struct input *in, struct table *scope, char end)
{
	for (;;) {
		skip(in);
		if (in->at == in->end)
			return end == 0;
		if (end && take(in, end))
			return true;
		char *key = parse_key(in);
		bool good;
		if (key && take(in, '=')) {
			good = assign(in, scope, key);
		} else {
			good = key && command(in, scope, key);
			typed_free(key);
		}
		if (!good || !take(in, ';'))
			return false;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {(const char *)data, (const char *)data + size, 0};
	struct table *top = new_table(NULL);

	if (!top)
		return 0;
	parse_entries(&in, top, 0);
	drop_table(top);
	return 0;
}

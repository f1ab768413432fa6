/*
 * types.c: a library's catalogue, to show a program whose types are kept apart.
 *
 * It reads a made-up stream of acquisitions, loans and returns, keeps authors, books, readers and
 * loans in linked structures with text and arrays of every length, and answers questions about
 * them. At the end it prints which types it allocated and how often, so that the library's own
 * table (TYPED_MALLOC_OPTIONS=stats=1) can be compared.
 */
#include <typed_malloc.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AUTHORS 400
#define BOOKS	6000
#define READERS 900
#define EVENTS	60000
#define SHELVES 64 /* a power of two: the shelf is the low bits of a title's hash */

struct author {
	struct author *next;
	char *name;
	struct book **books; /* grows with each book */
	unsigned n_books;
};

struct book {
	struct author *author;
	char *title;
	struct loan *loan; /* NULL: it is in */
	unsigned hash, year, lent;
};

struct reader {
	char *name;
	struct loan *loans;
	unsigned n_loans;
	struct history *history; /* NULL before the first return */
};

struct loan {
	struct loan *next; /* of the same reader */
	struct book *book;
	struct reader *reader;
	unsigned since;
};

/* What a reader returned: one entry a loan. */
struct history {
	unsigned n, room;
	struct entry {
		unsigned hash, days;
	} entry[];
};

/* All books of a few hash values. */
struct shelf {
	unsigned n;
	struct book *book[];
};

/* What was allocated of each type. Names and tokens are for the table alone. */
static struct type {
	const char *name, *kind;
	size_t token;
	unsigned allocations;
} types[] = {
	{"struct author", "fixed", TYPED_MALLOC_TOKEN(sizeof(struct author)), 0},
	{"struct book", "fixed", TYPED_MALLOC_TOKEN(sizeof(struct book)), 0},
	{"struct reader", "fixed", TYPED_MALLOC_TOKEN(sizeof(struct reader)), 0},
	{"struct loan", "fixed", TYPED_MALLOC_TOKEN(sizeof(struct loan)), 0},
	{"char", "var", TYPED_MALLOC_TOKEN(sizeof(char)), 0},
	{"struct book *", "var", TYPED_MALLOC_TOKEN(sizeof(struct book *)), 0},
	{"struct history", "var", TYPED_MALLOC_TOKEN(sizeof(struct history)), 0},
	{"struct shelf", "var", TYPED_MALLOC_TOKEN(sizeof(struct shelf)), 0},
};
enum { AUTHOR, BOOK, READER, LOAN, TEXT, BOOK_LIST, HISTORY, SHELF };

static struct author *authors;
static struct book **books;
static struct reader *readers[READERS];
static struct shelf *shelves[SHELVES];

/* `p', just allocated, is one more object of a type; without memory the program ends. */
static void *counted(unsigned type, void *p)
{
	if (!p) {
		fputs("types: out of memory\n", stderr);
		exit(1);
	}
	types[type].allocations++;
	return p;
}

static unsigned next_random(void)
{
	static unsigned long long state = 42;

	state = state * 6364136223846793005u + 1442695040888963407u;
	return state >> 33;
}

/* A name of 1 to `words' made-up words. */
static char *new_text(unsigned words)
{
	static const char *const syllables[] = {"ka", "lo", "mi", "ter", "an", "vos", "re", "shi"};
	char line[200];
	size_t len = 0;

	for (unsigned n = 1 + next_random() % words; n; n--) {
		for (unsigned s = 2 + next_random() % 3; s; s--)
			len += (size_t)snprintf(line + len, sizeof line - len, "%s",
						syllables[next_random() % 8]);
		if (n > 1)
			line[len++] = ' ';
	}
	char *text = typed_malloc(len + 1);
	counted(TEXT, text);
	memcpy(text, line, len);
	text[len] = 0;
	return text;
}

static unsigned hash_of(const char *s)
{
	unsigned h = 2166136261u;

	while (*s)
		h = (h ^ (unsigned char)*s++) * 16777619u;
	return h;
}

static void add_author(void)
{
	struct author *a = typed_malloc(sizeof *a);

	counted(AUTHOR, a);
	a->name = new_text(3);
	a->next = authors;
	authors = a;
}

static struct book *add_book(struct author *a)
{
	struct book *b = typed_malloc(sizeof *b);

	counted(BOOK, b);
	b->author = a;
	b->title = new_text(9);
	b->hash = hash_of(b->title);
	b->year = 1800 + next_random() % 225;
	a->books = counted(BOOK_LIST,
			   typed_reallocarray(a->books, a->n_books + 1, sizeof(struct book *)));
	a->books[a->n_books++] = b;

	struct shelf **place = &shelves[b->hash % SHELVES], *s = *place;
	unsigned n = s ? s->n : 0;
	s = typed_malloc(sizeof(struct shelf) + (n + 1) * sizeof s->book[0]);
	counted(SHELF, s);
	if (n)
		memcpy(s->book, (*place)->book, n * sizeof s->book[0]);
	s->book[n] = b;
	s->n = n + 1;
	typed_free(*place);
	*place = s;
	return b;
}

static void lend(struct book *b, struct reader *r, unsigned day)
{
	struct loan *l = typed_calloc(1, sizeof *l);

	counted(LOAN, l);
	l->next = r->loans;
	l->book = b;
	l->reader = r;
	l->since = day;
	b->loan = r->loans = l;
	b->lent++;
	r->n_loans++;
}

static void give_back(struct loan *l, unsigned day)
{
	struct reader *r = l->reader;
	struct history *h = r->history;

	if (!h || h->n == h->room) {
		unsigned room = h ? h->room * 2 : 2;
		h = typed_realloc(h, sizeof(struct history) + room * sizeof h->entry[0]);
		counted(HISTORY, h);
		if (!r->history)
			h->n = 0;
		h->room = room;
		r->history = h;
	}
	h->entry[h->n].hash = l->book->hash;
	h->entry[h->n++].days = day - l->since;

	struct loan **link = &r->loans;
	while (*link != l)
		link = &(*link)->next;
	*link = l->next;
	l->book->loan = NULL;
	r->n_loans--;
	typed_free(l);
}

static void fill(void)
{
	struct author *a;

	for (unsigned i = 0; i < AUTHORS; i++)
		add_author();
	books = counted(BOOK_LIST, typed_calloc(BOOKS, sizeof(struct book *)));
	a = authors;
	for (unsigned i = 0; i < BOOKS; i++) {
		books[i] = add_book(a);
		for (unsigned skip = next_random() % 5; skip; skip--)
			a = a->next ? a->next : authors;
	}
	for (unsigned i = 0; i < READERS; i++) {
		readers[i] = counted(READER, typed_malloc(sizeof(struct reader)));
		readers[i]->name = new_text(2);
	}
}

static void run(void)
{
	for (unsigned day = 0; day < EVENTS; day++) {
		struct book *b = books[next_random() % BOOKS];
		struct reader *r = readers[next_random() % READERS];

		if (b->loan)
			give_back(b->loan, day);
		else if (r->n_loans < 8)
			lend(b, r, day);
		else
			give_back(r->loans, day);
	}
}

static void answer(void)
{
	const struct book *popular = books[0];
	const struct author *busy = authors;
	unsigned out = 0, misplaced = 0, n = 0, sum = 0;

	for (unsigned i = 0; i < BOOKS; i++) {
		if (books[i]->lent > popular->lent)
			popular = books[i];
		out += books[i]->loan != NULL;
	}
	for (const struct author *a = authors; a; a = a->next)
		if (a->n_books > busy->n_books)
			busy = a;
	for (unsigned i = 0; i < SHELVES; i++) {
		for (unsigned k = 0; shelves[i] && k < shelves[i]->n; k++, n++)
			misplaced += hash_of(shelves[i]->book[k]->title) % SHELVES != i;
	}
	for (unsigned i = 0; i < READERS; i++)
		for (unsigned k = 0; readers[i]->history && k < readers[i]->history->n; k++)
			sum = sum * 31 + readers[i]->history->entry[k].hash +
			      readers[i]->history->entry[k].days;
	printf("most lent: \"%s\" (%u), %u times\n", popular->title, popular->year, popular->lent);
	printf("most books: %s, %u\n", busy->name, busy->n_books);
	printf("on loan: %u; on the shelves' lists: %u, misplaced: %u; checksum of histories: "
	       "%08x\n",
	       out, n, misplaced, sum);
	if (n != BOOKS || misplaced) {
		fputs("types: the catalogue is damaged\n", stderr);
		exit(1);
	}
}

static void clear(void)
{
	for (unsigned i = 0; i < READERS; i++) {
		while (readers[i]->loans)
			give_back(readers[i]->loans, EVENTS);
		typed_free(readers[i]->history);
		typed_free(readers[i]->name);
		typed_free(readers[i]);
	}
	for (unsigned i = 0; i < BOOKS; i++) {
		typed_free(books[i]->title);
		typed_free(books[i]);
	}
	while (authors) {
		struct author *a = authors;
		authors = a->next;
		typed_free(a->books);
		typed_free(a->name);
		typed_free(a);
	}
	for (unsigned i = 0; i < SHELVES; i++)
		typed_free(shelves[i]);
	typed_free(books);
}

int main(void)
{
	fill();
	run();
	answer();
	clear();
	/* A token of 0: this compiler infers no types. */
	for (size_t i = 0; i < sizeof types / sizeof *types; i++)
		printf("type 0x%zx %s %u %s\n", types[i].token, types[i].kind, types[i].allocations,
		       types[i].name);
	return 0;
}

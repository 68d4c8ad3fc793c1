// The first list of IPInstances of a large cluster, in parts: those of some nodes each, by the label that
// the manager sets, and all that have none of these nodes in the label. A server makes a whole list in its
// memory before it sends the first byte, which for a hundred thousand objects takes it longer than all
// parts, of which it makes the next while one is taken in.
//
// Each part is as the server's cache was at that moment; the watch begins at the oldest of them, so that
// what moved between two parts, or changed after its part, is told by it.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctrl/store/kube.h"

#define NODES_MIN 200 // fewer: one list is as good
#define NODES_MAX 10000 // more: the request for the rest would be too long
#define NODES_EACH 125 // of a part
#define FLIGHTS 2 // at a time
#define LABEL_LEN_MAX 63 // a longer name is in no label

struct part {
	struct kube_reflector *r;
	struct kube_transfer *transfer; // NULL: none is under way
	struct kube_items items;
};

struct kube_parts {
	char **paths; // owned; one for each part
	size_t n, next;
	struct part flights[FLIGHTS];
	unsigned long long oldest; // version of those that have come; 0: none has
};

// ── What to ask for ────────────────────────────────────────────────────────────────────────────

// "networking.alibaba.com/node in (a,b)"; names need no escape. NULL without memory.
static char *path_of(const char *operator, const char * const * names, size_t n)
{
	char collection[KUBE_PATH_MAX], *path = NULL;
	size_t len;
	FILE *f = open_memstream(&path, &len);

	if (f == NULL)
		return NULL;
	(void)kube_path_collection(KIND_IPINSTANCE, NULL, collection);
	(void)fprintf(f, "%s?resourceVersion=0&labelSelector=%s%%2Fnode%%20%s%%20%%28", collection,
		API_GROUP, operator);
	for (size_t i = 0; i < n; i++)
		(void)fprintf(f, "%s%s", i > 0 ? "%2C" : "", names[i]);
	(void)fputs("%29", f);
	if (fclose(f) == 0)
		return path;
	free(path);
	return NULL;
}

static int add_part(
	struct kube_parts *p, const char *operator, const char * const * names, size_t n)
{
	p->paths[p->n] = path_of(operator, names, n);
	if (p->paths[p->n] == NULL)
		return -ENOMEM;
	p->n++;
	return 0;
}

static struct kube_parts *parts_new(const char *const *names, size_t n)
{
	struct kube_parts *p = calloc(1, sizeof(*p));
	int ret = 0;

	if (p == NULL)
		return NULL;
	p->paths = calloc(n / NODES_EACH + 2, sizeof(*p->paths));
	if (p->paths == NULL)
		ret = -ENOMEM;
	for (size_t i = 0; i < n && ret == 0; i += NODES_EACH)
		ret = add_part(p, "in", &names[i], n - i < NODES_EACH ? n - i : NODES_EACH);
	if (ret == 0)
		ret = add_part(p, "notin", names, n);
	if (ret == 0)
		return p;
	kube_parts_free(p);
	return NULL;
}

void kube_parts_free(struct kube_parts *p)
{
	if (p == NULL)
		return;
	for (size_t i = 0; i < FLIGHTS; i++)
		kube_items_reset(&p->flights[i].items);
	for (size_t i = 0; i < p->n; i++)
		free(p->paths[i]);
	free(p->paths);
	free(p);
}

// ── Asking ─────────────────────────────────────────────────────────────────────────────────────

static void finish(struct kube_reflector *r)
{
	(void)snprintf(r->version, sizeof(r->version), "%llu", r->parts->oldest);
	kube_parts_free(r->parts);
	r->parts = NULL;
	kube_reflector_well(r);
	kube_list_complete(r);
}

// The next try asks for the whole.
static void give_up(struct kube_reflector *r, int status, const char *message)
{
	for (size_t i = 0; i < FLIGHTS; i++) {
		if (r->parts->flights[i].transfer != NULL)
			kube_cancel(r->parts->flights[i].transfer);
	}
	kube_parts_free(r->parts);
	r->parts = NULL;
	kube_reflector_failed(r, status, message);
}

static void on_data(void *arg, char *data, size_t len)
{
	struct part *part = arg;
	struct kube_reflector *r = part->r;
	int ret = kube_items_feed(&part->items, data, len, kube_list_item, r);

	if (ret < 0 && !r->store->closing)
		give_up(r, 0, kube_list_error(ret));
}

// At an answer's end. Versions are numbers wherever etcd is behind the server; what is none cannot be
// compared.
static int take_version(struct kube_parts *p, const struct kube_items *items)
{
	cJSON *list;
	char *end = NULL;

	if (kube_items_end(items, &list) < 0)
		return -EPROTO;
	const char *text = kube_list_meta(list, "resourceVersion");
	unsigned long long version = text != NULL ? strtoull(text, &end, 10) : 0;
	bool good = version > 0 && *end == '\0' && kube_list_meta(list, "continue") == NULL;
	cJSON_Delete(list);
	if (!good)
		return -EPROTO;
	if (p->oldest == 0 || version < p->oldest)
		p->oldest = version;
	return 0;
}

static void on_ended(void *arg, int status, cJSON *answer, const char *message);

static bool ask(struct part *part)
{
	struct kube_parts *p = part->r->parts;
	const struct kube_call call = {
		.method = "GET",
		.path = p->paths[p->next],
		.stall_s = KUBE_SLOW_LIST_S,
		.data = on_data,
		.answered = on_ended,
		.arg = part,
	};

	part->transfer = kube_start(part->r->store->client, &call);
	p->next += part->transfer != NULL;
	return part->transfer != NULL;
}

// Asks for what is left to ask for, as many at a time as may be.
static void go_on(struct kube_reflector *r)
{
	struct kube_parts *p = r->parts;
	bool flies = false;

	for (size_t i = 0; i < FLIGHTS; i++) {
		struct part *part = &p->flights[i];

		if (part->transfer == NULL && p->next < p->n && !ask(part)) {
			give_up(r, -ENOMEM, "out of memory");
			return;
		}
		flies |= part->transfer != NULL;
	}
	if (!flies)
		finish(r);
}

static void on_ended(void *arg, int status, cJSON *, const char *message)
{
	struct part *part = arg;
	struct kube_reflector *r = part->r;

	part->transfer = NULL;
	int ret = status == 200 ? take_version(r->parts, &part->items) : 0;
	kube_items_reset(&part->items);
	if (ret < 0)
		give_up(r, 0, kube_list_error(ret));
	else if (status != 200)
		give_up(r, status, message != NULL ? message : kube_list_error(-EPROTO));
	else
		go_on(r);
}

// ── Whether ────────────────────────────────────────────────────────────────────────────────────

struct names {
	const char *name[NODES_MAX];
	size_t n;
};

static void collect(void *arg, const char *name)
{
	struct names *names = arg;

	if (names->n < NODES_MAX && strlen(name) <= LABEL_LEN_MAX)
		names->name[names->n++] = name;
}

bool kube_parts_wanted(const struct kube_reflector *r)
{
	return r->kind == KIND_IPINSTANCE && r->whole && !r->parted &&
	       (r->store->kinds & 1U << KIND_NODEINFO) != 0;
}

void kube_parts_nodes_known(struct kube_store *k)
{
	struct kube_reflector *r = &k->reflectors[KIND_IPINSTANCE];

	if (!r->waits_for_nodes)
		return;
	r->waits_for_nodes = false;
	kube_reflector_go(r, PHASE_LIST);
}

bool kube_parts_list(struct kube_reflector *r)
{
	const struct kube_known *nodes = &r->store->reflectors[KIND_NODEINFO].known;
	struct names *names;

	r->parted = true;
	if (kube_known_count(nodes) < NODES_MIN || kube_known_count(nodes) > NODES_MAX)
		return false;
	names = calloc(1, sizeof(*names));
	if (names == NULL)
		return false;
	kube_known_each(nodes, collect, names);
	r->parts = parts_new(names->name, names->n);
	free(names);
	if (r->parts == NULL)
		return false;
	for (size_t i = 0; i < FLIGHTS; i++)
		r->parts->flights[i].r = r;
	kube_known_begin(&r->known);
	go_on(r);
	return true;
}
